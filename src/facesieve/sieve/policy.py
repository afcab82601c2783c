"""Policies: named, ordered lists of rules from a preset, a TOML file or changes such as `max_yaw=30`."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from facesieve.errors import PolicyError
from facesieve.quality import DATASET_RELATIONS, TRACK_RELATIONS
from facesieve.sieve.adjust import adjusted
from facesieve.sieve.nearest import did_you_mean
from facesieve.sieve.rule import Rule
from facesieve.small_file import read_toml

DEFAULT = "reference"
_OF_TRACKS = frozenset(relation.name for relation in TRACK_RELATIONS)

_WHOLE = frozenset(relation.name for relation in DATASET_RELATIONS)


class Policy(BaseModel):
    """Rules that a face must pass, all of them, to be kept; at most one rule for each measure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="What reports call it.")
    sentence: str = Field(default="", description="What it is for.")
    rules: tuple[Rule, ...] = Field(description="In the order in which a verdict lists its reasons.")

    @model_validator(mode="after")
    def _one_rule_per_measure(self) -> Policy:
        names = [rule.measure for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the measure {twice[0]} has more than one rule.")
        return self

    @classmethod
    def preset(cls, name: str = DEFAULT) -> Policy:
        """The preset of that name, one of `Policy.presets()`. Raises PolicyError `unknown_preset`."""
        presets = _presets()
        if name not in presets:
            raise PolicyError("unknown_preset", f"There is no policy {name!r}{did_you_mean(name, presets)}")
        return cls(name=name, **presets[name])

    @staticmethod
    def presets() -> tuple[str, ...]:
        """Names of the presets, the default first."""
        return tuple(_presets())

    @staticmethod
    def presets_for_pictures() -> tuple[str, ...]:
        """Names of the presets that judge single pictures, so that a service can use them; see `for_pictures`."""
        measures = {name: {rule["measure"] for rule in preset["rules"]} for name, preset in _presets().items()}
        return tuple(name for name, limited in measures.items() if not limited & (_WHOLE | _OF_TRACKS))

    @classmethod
    def load(cls, name_or_file: str = DEFAULT) -> Policy:
        """A preset by name, or a policy from a TOML file, whose name ends in .toml.

        The file has `name`, `sentence`, and `[[rules]]` with measure, low, high and reason. Without `name`, the
        policy has the name of the file without `.toml`. Raises PolicyError.
        """
        if not name_or_file.endswith(".toml"):
            if not {"/", "\\", "."}.isdisjoint(name_or_file):
                raise PolicyError("unknown_preset", f"{name_or_file!r}: the name of a policy file has to end in .toml.")
            return cls.preset(name_or_file)
        file = Path(name_or_file)
        return cls.parse({"name": file.stem} | _read(file), f"Policy file {file.name}")

    @classmethod
    def parse(cls, given: dict[str, Any], what: str = "Policy") -> Policy:
        """A policy from plain values, such as those of `describe`. what: how messages call it. Raises PolicyError."""
        try:
            return cls(**given)
        except ValidationError as error:
            raise PolicyError("bad_policy", f"{what}: {_first_fault(error)}") from error

    def adjusted(self, changes: Iterable[str]) -> Policy:
        """The policy with other limits: `max_yaw=30` and `min_blur=80` set a limit, `max_yaw=none` removes it.

        For pitch, yaw and roll, `max_` limits the angle in both directions, unless there is a `min_` too. A rule on
        another measure is added at the end; a rule without limits is removed. Raises PolicyError for an unknown
        measure, for another form than these, and for what is not a number.
        """
        rules = adjusted(self.rules, changes)
        return self if rules == self.rules else Policy(name=f"{self.name}, adjusted", rules=rules)

    def for_pictures(self) -> Policy:
        """The policy itself. Raises PolicyError `needs_dataset` if a rule compares the faces of a whole dataset."""
        needing = next((rule.measure for rule in self.rules if rule.measure in _WHOLE), None)
        if needing:
            raise PolicyError(
                "needs_dataset",
                f"Policy {self.name!r} limits {needing!r}, which compares the faces of a whole dataset. Use it with"
                " `facesieve build` or `facesieve sieve`; here, choose another policy.",
            )
        return self

    def before_tracks(self) -> Policy:
        """The policy without its first rule on tracks and all rules after it; without rules on tracks, itself."""
        names = [rule.measure for rule in self.rules]
        first = next((at for at, name in enumerate(names) if name in _OF_TRACKS), len(names))
        return self if first == len(names) else self.model_copy(update={"rules": self.rules[:first]})

    @property
    def ranks_tracks(self) -> bool:
        """Whether a rule needs the tracks of a clip."""
        return any(rule.measure in _OF_TRACKS for rule in self.rules)

    def describe(self) -> dict[str, Any]:
        """The policy as plain values, which `Policy.parse` reads."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """Sha256 of the rules, 64 hex digits. Policies with equal digests always return equal verdicts."""
        rules = json.dumps(self.describe()["rules"], sort_keys=True)
        return hashlib.sha256(rules.encode()).hexdigest()


def _presets() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("facesieve.sieve").joinpath("presets.toml").read_text(encoding="utf-8"))


def _read(file: Path) -> dict[str, Any]:
    try:
        return read_toml(file)
    except OSError as error:
        raise PolicyError("unreadable_policy", f"Cannot read policy file {file}: {error.strerror}.") from error
    except ValueError as error:
        raise PolicyError("bad_policy_file", f"Policy file {file} is not TOML: {error}.") from error


def _first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    known = [*Policy.model_fields, *Rule.model_fields]
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        return f"unknown key {key!r}{did_you_mean(name, known)}"
    text = first["msg"].removeprefix("Value error, ")
    text = text if text[-1] in ".?" else f"{text}."
    return f"{key}: {text}" if key else text
