"""The answer of `/v1/sieve`: judges measures again. It runs in a worker process; JSON in, JSON out."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from pydantic_core import from_json

from facesieve.quality import OF_ONE_PICTURE
from facesieve.records import Measures, RefusalCode
from facesieve.service.answers import encoded
from facesieve.service.api_errors import ApiError, ErrorCode, error_of
from facesieve.service.options import policy_of
from facesieve.service.schemas import MAX_LIMITS, MAX_ROWS
from facesieve.sieve import Policy, judge

_NAMES = tuple(measure.name for measure in OF_ONE_PICTURE)
_KNOWN = frozenset(_NAMES)
_KEYS = frozenset(("measures", "policy", "limits"))
_MISTAKES = {
    "dict_type": "must be an object",
    "list_type": "must be an array",
    "string_type": "must be a string",
    "float_type": "must be a number",
    "missing": "is missing",
    "too_long": "has too many entries",
    "extra_forbidden": "is not a known key",
    "unknown_measure": "is not a known measure",
}
_MAX_MISTAKES = 20  # most mistakes that an answer lists


@dataclass(frozen=True, slots=True)
class SieveReply:
    """The answer as JSON, or an error code with its message and details. It is sent between processes."""

    body: bytes = b""
    code: str = ""
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def answer(self) -> bytes:
        """The JSON. Raises the ApiError if there is an error code."""
        if self.code:
            raise error_of(self.code, self.message, self.details)
        return self.body


@dataclass(frozen=True, slots=True)
class SieveOptions:
    """The options that go to a worker with a body of `/v1/sieve`. default: the policy if the body names none."""

    default: Policy


def sieve_answer(body: bytes, default: Policy) -> SieveReply:
    """The answer of `/v1/sieve`. default: the policy if the body names none. Errors are returned as values."""
    try:
        return SieveReply(_answer(body, default))
    except ApiError as error:
        return SieveReply(code=error.code, message=error.message, details=error.details)
    except MemoryError:
        return SieveReply(code=RefusalCode.OUT_OF_MEMORY)


def _answer(body: bytes, default: Policy) -> bytes:
    try:
        asked = from_json(body)
    except ValueError:
        raise ApiError(ErrorCode.BAD_JSON) from None
    wrong = _wrong_shape(asked)
    if wrong:
        raise _bad(wrong)
    policy = policy_of(asked.get("policy") or default.name, asked.get("limits", {}), default)
    table = _table(asked["measures"])
    verdicts = judge(policy, Measures(dict(zip(_NAMES, table.T, strict=True))))
    answer = {
        "policy": policy.describe(),
        "total": len(verdicts),
        "kept": sum(verdict.kept for verdict in verdicts),
        "verdicts": [{"kept": verdict.kept, "reasons": verdict.reasons} for verdict in verdicts],
    }
    return encoded(answer)


def _wrong_shape(asked: Any) -> list[tuple[str, str]]:
    """The mistakes, and where they are, in everything except the values of the measures."""
    if not isinstance(asked, dict):
        return [("", "dict_type")]
    wrong = [(str(key), "extra_forbidden") for key in sorted(asked.keys() - _KEYS)[:_MAX_MISTAKES]]
    rows, policy, limits = asked.get("measures"), asked.get("policy"), asked.get("limits", {})
    if "measures" not in asked:
        wrong.append(("measures", "missing"))
    elif not isinstance(rows, list):
        wrong.append(("measures", "list_type"))
    elif len(rows) > MAX_ROWS:
        wrong.append(("measures", "too_long"))
    if policy is not None and not isinstance(policy, str):
        wrong.append(("policy", "string_type"))
    if not isinstance(limits, dict):
        wrong.append(("limits", "dict_type"))
    elif len(limits) > MAX_LIMITS:
        wrong.append(("limits", "too_long"))
    else:
        wrong += [(f"limits.{name}", "float_type") for name, value in limits.items() if not _is_number(value)]
    return wrong


def _table(rows: list[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """One line for each face and one column for each measure; NaN where a measure is missing.

    Stops after `_MAX_MISTAKES` mistakes, so that a body full of unknown keys takes little time.
    """
    table = np.full((len(rows), len(_NAMES)), np.nan)
    wrong: list[tuple[str, str]] = []
    for number, row in enumerate(rows):
        if len(wrong) >= _MAX_MISTAKES:
            break
        if not isinstance(row, dict):
            wrong.append((f"measures.{number}", "dict_type"))
        elif not row.keys() <= _KNOWN:
            unknown = islice((key for key in row if key not in _KNOWN), _MAX_MISTAKES)
            wrong += [(f"measures.{number}.{key}", "unknown_measure") for key in unknown]
        else:
            try:
                table[number] = [_number(row.get(name)) for name in _NAMES]
            except (TypeError, OverflowError):
                wrong += [
                    (f"measures.{number}.{name}", "float_type") for name, value in row.items() if not _is_number(value)
                ]
    if wrong:
        raise _bad(wrong)
    return table


def _number(value: Any) -> float:
    if value is None:
        return np.nan
    if value.__class__ is float:
        return value
    if value.__class__ is int:
        return float(value)
    raise TypeError


def _is_number(value: Any) -> bool:
    try:
        _number(value)
    except (TypeError, OverflowError):
        return False
    return True


def _bad(wrong: list[tuple[str, str]]) -> ApiError:
    """The error that says where the mistakes are. It does not repeat values that were sent."""
    told = [{"where": where[:100], "what": _MISTAKES[what]} for where, what in wrong[:_MAX_MISTAKES]]
    return ApiError(ErrorCode.BAD_JSON, details={"wrong": told})
