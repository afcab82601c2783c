"""Changes of rules as people write them: `min_blur=80`, `max_yaw=30`, `max_yaw=none`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from facesieve.errors import PolicyError
from facesieve.quality import ALL_MEASURES, measure_named
from facesieve.records import ANGLES
from facesieve.sieve.nearest import did_you_mean
from facesieve.sieve.reasons import REASON_OF
from facesieve.sieve.rule import Rule

FORM = re.compile(r"\s*(min|max)_(\w+)\s*=\s*(\S+)\s*")


def adjusted(rules: tuple[Rule, ...], changes: Iterable[str]) -> tuple[Rule, ...]:
    """The rules after all changes; of two changes of the same limit, the later one counts. See `Policy.adjusted`.

    All changes of one measure are applied together, so their order does not matter. Raises PolicyError.
    """
    limits_of: dict[str, dict[str, float | None]] = {}
    for change in changes:
        name, side, limit = _read(change)
        limits_of.setdefault(name, {})[side] = limit
    for name, limits in limits_of.items():
        high = limits.get("high")
        if name in ANGLES and "high" in limits:
            limits.setdefault("low", None if high is None else -high)
        rules = _with(rules, name, limits)
    return rules


def _read(change: str) -> tuple[str, str, float | None]:
    """The measure, which of its limits changes (`low` or `high`), and the new limit."""
    match = FORM.fullmatch(change)
    if match is None:
        raise PolicyError(
            "bad_change", f"Cannot read {change!r}: write min_NAME=NUMBER, max_NAME=NUMBER or max_NAME=none."
        )
    side, name, text = match.groups()
    if measure_named(name) is None:
        known = [measure.name for measure in ALL_MEASURES]
        raise PolicyError("unknown_measure", f"There is no measure {name!r}{did_you_mean(name, known)}")
    limit = _number(change, text)
    if side == "max" and name in ANGLES and limit is not None and limit < 0:
        raise PolicyError("bad_number", f"{change!r}: an angle's limit is its size, so it cannot be negative.")
    return name, "low" if side == "min" else "high", limit


def _number(change: str, text: str) -> float | None:
    if text.lower() == "none":
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise PolicyError("bad_number", f"{change!r}: {text!r} is not a number.")
    return number


def _with(rules: tuple[Rule, ...], name: str, limits: dict[str, float | None]) -> tuple[Rule, ...]:
    fresh = {"measure": name, "low": None, "high": None, "reason": REASON_OF[name]}
    old = next((rule.model_dump() for rule in rules if rule.measure == name), fresh)
    low, high = (({**old, **limits})[side] for side in ("low", "high"))
    if low is not None and high is not None and low > high:
        raise PolicyError("bad_limits", f"The limits of {name} leave nothing: at least {low:g} and at most {high:g}.")
    gone = low is None and high is None
    changed = () if gone else (Rule(**{**old, **limits}),)
    if all(rule.measure != name for rule in rules):
        return rules + changed
    return tuple(one for rule in rules for one in (changed if rule.measure == name else (rule,)))
