from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import chromium
import pytest

from facesieve.errors import UsageError
from facesieve.quality import ALL_MEASURES
from facesieve.records import RefusalCode
from facesieve.sieve import Reason
from facesieve.texts import embedded, languages, script_safe, tables

HOLDS = re.compile(r"\{\w+\}")


def test_english_comes_first_and_chinese_is_there() -> None:
    assert languages()[0] == "en" and "zh" in languages()
    assert [language.name for language in tables()][:1] == ["English"]


@pytest.mark.parametrize("code", languages())
def test_a_language_has_every_text_and_no_other(code: str) -> None:
    """What is missing here is what a translator has to add."""
    english = tables()[0].texts
    held = tomllib.loads(files("facesieve.texts").joinpath(f"{code}.toml").read_text(encoding="utf-8"))
    wanted = {(name, key) for name, section in english.items() for key in section}
    if code == "en":
        wanted = {(name, key) for name, key in wanted if not name.endswith("_sentence")}
    assert {(name, key) for name, section in held.items() for key in section} == wanted


@pytest.mark.parametrize("code", languages())
def test_a_translation_holds_the_same_values_as_the_english_text(code: str) -> None:
    [mine] = [language.texts for language in tables() if language.code == code]
    for name, section in tables()[0].texts.items():
        for key, text in section.items():
            assert sorted(HOLDS.findall(mine[name][key])) == sorted(HOLDS.findall(text)), f"{code}: {name}.{key}"


def test_every_reason_measure_and_refusal_has_a_short_text_and_a_sentence() -> None:
    for language in tables():
        for kind, codes in {
            "reason": [reason.value for reason in Reason],
            "measure": [measure.name for measure in ALL_MEASURES],
            "refusal": [code.value for code in RefusalCode],
        }.items():
            assert set(language.texts[kind]) == set(language.texts[f"{kind}_sentence"]) == set(codes)


def test_every_unit_has_a_text() -> None:
    assert {measure.unit for measure in ALL_MEASURES} - {""} <= set(tables()[0].texts["unit"])


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="There is no language 'xx'; write one of en, zh"):
        embedded(["verdict"], "xx")


@pytest.mark.parametrize("text", ["</script><script>alert(1)", "<!--", "a\u2028b", 'quote " and \\', "مرحبا ‮ txt"])
def test_no_text_can_end_the_script_that_holds_it(text: str) -> None:
    held = script_safe({"name": text})
    assert not set(held) & set("<>&\u2028\u2029")
    assert json.loads(held) == {"name": text}


PAGE = """<!doctype html><meta charset=utf-8><body>
<p id=kept data-text="verdict.kept"></p><input id=field data-hint="action.search" data-label="column.source">
<select id=menu></select>
{texts}<script>speech.apply(); speech.menu(document.getElementById("menu"));</script>"""
SHOWN = "[kept.textContent, field.placeholder, field.getAttribute('aria-label'), document.documentElement.lang]"


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[chromium.Tab]:
    if chromium.WHERE is None:
        pytest.skip("needs Chromium")
    tab = chromium.Tab(tmp_path)
    yield tab
    tab.close()


def test_a_page_speaks_the_language_that_was_chosen_and_changes_it(tab: chromium.Tab, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(texts=embedded(["verdict", "action", "column", "reason"], "zh")), encoding="utf-8")
    tab.open(page.as_uri())
    assert tab.run(SHOWN) == ["保留", "搜索", "来源", "zh"]
    tab.run("menu.value = 'en'; menu.dispatchEvent(new Event('change'))")
    assert tab.run(SHOWN) == ["kept", "search", "source", "en"]
    assert tab.run("[speech.word('reason', 'not_sharp'), speech.word('reason', 'a_new_one')]") == [
        "not sharp",
        "a new one",
    ]
    assert tab.complaints() == []


def test_a_page_without_a_chosen_language_speaks_that_of_the_browser(tab: chromium.Tab, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(texts=embedded(["verdict", "action", "column"])), encoding="utf-8")
    for browser, shown in {"zh-CN": "zh", "de-DE": "en", "en-GB": "en"}.items():
        tab.ask(
            "Emulation.setUserAgentOverride",
            userAgent=tab.run("navigator.userAgent"),
            acceptLanguage=browser,
        )
        tab.open(page.as_uri())
        assert tab.run("speech.code") == shown, browser
