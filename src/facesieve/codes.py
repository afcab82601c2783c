"""Closed lists of stable codes, each with a sentence for people."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self


class Code(StrEnum):
    """A closed list of stable codes. Each member is written as its code, then details, then a sentence for people."""

    details: tuple[Any, ...]
    sentence: str

    def __new__(cls, code: str, *details: Any) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        *rest, member.sentence = details
        member.details = tuple(rest)
        return member
