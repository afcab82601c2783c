"""Policies: named, ordered rules over measures, written as limits (`min_blur = 100`, `max_yaw = 45`)."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from facesieve.errors import PolicyError
from facesieve.quality import MEASURES
from facesieve.sieve.reasons import ANGLES, TOO_HIGH, TOO_LOW, Reason

DEFAULT = "reference"


class Rule(BaseModel):
    """A face passes when low <= measure <= high; None is no limit on that side."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: str
    low: float | None = None
    high: float | None = None
    reason: Reason


class Policy(BaseModel):
    """A name and ordered rules; a face that passes them all is kept.

    A limit is `min_` or `max_` and the name of a measure. `max_` of an angle limits both directions.

    >>> Policy.preset("reference").rules[0]
    Rule(measure='confidence', low=0.995, high=None, reason=<Reason.LOW_CONFIDENCE: 'low_confidence'>)
    >>> [rule.high for rule in Policy.preset("reference").adjusted(["max_yaw=30"]).rules if rule.measure == "yaw"]
    [30.0]
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rules: tuple[Rule, ...]

    @classmethod
    def preset(cls, name: str = DEFAULT) -> Policy:
        """One of the policies that FaceSieve brings. Raises PolicyError for another name."""
        known = presets()
        if name not in known:
            raise PolicyError("unknown_policy", f"There is no policy {name!r}{_near(name, known)}.")
        return cls.of(name, known[name])

    @classmethod
    def of(cls, name: str, limits: Mapping[str, Any]) -> Policy:
        """A policy from limits by name. Raises PolicyError that names the limit which is off."""
        return cls(name=name, rules=tuple(_rule(limit, _number(limit, value)) for limit, value in limits.items()))

    @classmethod
    def load(cls, name_or_file: str = DEFAULT) -> Policy:
        """A preset by name, or a policy from a TOML file of limits.

        The file may name the policy (`name = "mine"`) and start from a preset (`based_on = "strict"`); a limit of
        "none" takes the preset's away. Raises PolicyError when there is no such preset or file, or it is off.
        """
        if name_or_file in presets():
            return cls.preset(name_or_file)
        if not name_or_file.endswith(".toml"):
            raise PolicyError("unknown_policy", f"There is no policy {name_or_file!r}{_near(name_or_file, presets())}.")
        given = _read(Path(name_or_file))
        name = str(given.pop("name", Path(name_or_file).stem))
        start = cls.preset(str(given.pop("based_on"))) if "based_on" in given else cls(name=name, rules=())
        return start.model_copy(update={"name": name})._with(given)

    def adjusted(self, changes: Iterable[str]) -> Policy:
        """This policy with limits such as `max_yaw=30` set, or taken away by `max_yaw=none`.

        Raises PolicyError for a change that is not NAME=VALUE, names no measure, or has no number.
        """
        given = {}
        for change in changes:
            limit, separator, value = change.partition("=")
            if not separator:
                raise PolicyError("bad_limit", f"{change!r} is not a limit like max_yaw=30.")
            given[limit.strip()] = value.strip()
        return self._with(given)

    def _with(self, given: Mapping[str, Any]) -> Policy:
        if not given:
            return self
        rules = {_limit_of(rule): rule for rule in self.rules}
        for limit, value in given.items():
            bound, measure = _parts(limit)
            if value == "none":
                rules.pop((bound, measure), None)
            else:
                rules[bound, measure] = _rule(limit, _number(limit, value))
        name = self.name if self.name.endswith("*") or self.name not in presets() else f"{self.name}*"
        return Policy(name=name, rules=tuple(rules.values()))

    def describe(self) -> dict[str, Any]:
        """Name and rules as plain values, the same for equal policies; `Policy.model_validate` reads it back."""
        return self.model_dump(mode="json")


def presets() -> dict[str, dict[str, float]]:
    """The limits of every policy that FaceSieve brings, by name."""
    text = (files("facesieve.sieve") / "presets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _rule(limit: str, value: float) -> Rule:
    bound, measure = _parts(limit)
    if measure in ANGLES:
        return Rule(measure=measure, low=-value, high=value, reason=ANGLES[measure])
    if bound == "min":
        return Rule(measure=measure, low=value, reason=TOO_LOW.get(measure, Reason.BELOW_LIMIT))
    return Rule(measure=measure, high=value, reason=TOO_HIGH.get(measure, Reason.ABOVE_LIMIT))


def _limit_of(rule: Rule) -> tuple[str, str]:
    return ("max" if rule.high is not None else "min", rule.measure)


def _parts(limit: str) -> tuple[str, str]:
    bound, _, measure = limit.partition("_")
    if bound not in ("min", "max") or measure not in _names() or (bound == "min" and measure in ANGLES):
        raise PolicyError("unknown_limit", f"There is no limit {limit!r}{_near(limit, _limits())}.")
    return bound, measure


def _names() -> list[str]:
    return [measure.name for measure in MEASURES]


def _limits() -> list[str]:
    return [f"{bound}_{name}" for name in _names() for bound in ("min", "max") if bound == "max" or name not in ANGLES]


def _number(limit: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    angle = limit.partition("_")[2] in ANGLES
    if not math.isfinite(number) or (angle and number < 0):
        raise PolicyError("bad_limit", f"{value!r} is no number that {limit} could be.")
    return number


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}" if close else f": there are {', '.join(known)}"


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError("unreadable_policy", f"Cannot read policy file {file}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError("bad_policy_file", f"Policy file {file} is not TOML: {error}.") from error
