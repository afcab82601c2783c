"""Closed lists of stable codes, each with a sentence for people."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self


class Code(StrEnum):
    """A closed list of stable codes. A member is its code, any number of details, and a sentence for people."""

    details: tuple[Any, ...]
    sentence: str

    def __new__(cls, code: str, *rest: Any) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        *details, member.sentence = rest
        member.details = tuple(details)
        return member
