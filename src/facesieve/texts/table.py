"""Reads the texts of all languages."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from facesieve.quality import ALL_MEASURES
from facesieve.records import RefusalCode
from facesieve.sieve import Reason

FIRST = "en"  # the language of every text that another language lacks


@dataclass(frozen=True, slots=True)
class Language:
    """All texts of one language.

    code: as browsers write it, such as `zh`. name: in the language itself.
    texts: by section and key, such as `texts["reason"]["blurred"]`. The sections are those of `en.toml`, and three that
    English takes from the code: `reason_sentence`, `measure_sentence` and `refusal_sentence`.
    """

    code: str
    name: str
    texts: Mapping[str, Mapping[str, str]]


def languages() -> tuple[str, ...]:
    """The codes of all languages, English first."""
    names = (file.name for file in files("facesieve.texts").iterdir())
    return FIRST, *sorted({name.removesuffix(".toml") for name in names if name.endswith(".toml")} - {FIRST})


def tables() -> tuple[Language, ...]:
    """All languages, English first. Texts that one of them lacks are English."""
    english = code_sentences() | _read(FIRST)
    return tuple(_language(code, english) for code in languages())


def code_sentences() -> dict[str, dict[str, str]]:
    """The sentences that the code has for reasons, measures and refusals, in English."""
    return {
        "reason_sentence": {reason.value: reason.sentence for reason in Reason},
        "measure_sentence": {measure.name: measure.sentence for measure in ALL_MEASURES},
        "refusal_sentence": {code.value: code.sentence for code in RefusalCode},
    }


def _language(code: str, english: Mapping[str, Mapping[str, str]]) -> Language:
    held = _read(code)
    texts = {section: {**known, **held.get(section, {})} for section, known in english.items()}
    return Language(code, texts["language"]["name"], texts)


def _read(code: str) -> dict[str, dict[str, str]]:
    return tomllib.loads(files("facesieve.texts").joinpath(f"{code}.toml").read_text(encoding="utf-8"))
