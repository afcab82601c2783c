"""One row of a list of any format, and the rules that all rows follow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from facesieve.records import RefusalCode
from facesieve.sources.openers import RefusedOpener

LONGEST_PATH = LONGEST_LABEL = 32_767  # characters; no system has longer paths

_NESTED_LABEL = RefusedOpener(
    RefusalCode.BAD_ROW, "The row's label is a list or an object; write it as text, as a number, or as true or false."
)
TOO_LONG = RefusedOpener(RefusalCode.BAD_ROW, "The row is too long.")


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the reader of its format returns it.

    number: the line it begins on, or its position in a Parquet list; from 1. picture: a path, the picture's bytes, or a
    dict with both; anything else names no picture. label: of any type. refusal: what the format found wrong with it.
    """

    number: int
    picture: Any = None
    label: Any = None
    refusal: RefusedOpener | None = None

    @property
    def data(self) -> bytes | None:
        """The encoded picture itself, where the list holds it."""
        data = self.picture.get("bytes") if isinstance(self.picture, dict) else self.picture
        return data if isinstance(data, bytes) else None

    @property
    def path(self) -> str:
        """The path of the picture, or ""."""
        path = self.picture.get("path") if isinstance(self.picture, dict) else self.picture
        return path if isinstance(path, str) else ""

    @property
    def label_text(self) -> str:
        """The label as text: whole numbers without a fraction, "" for an empty cell and for a nested label."""
        match self.label:
            case None | list() | tuple() | dict():
                return ""
            case bool():
                return str(self.label).lower()
            case float() if math.isnan(self.label):
                return ""
            case float() if self.label.is_integer():
                return str(int(self.label))
            case bytes():
                return self.label.decode("utf-8", "surrogateescape").strip()
            case _:
                return str(self.label).strip()

    def fault(self) -> RefusedOpener | None:
        """Why the row cannot be used; None where it can."""
        if self.refusal:
            return self.refusal
        if isinstance(self.label, (list, tuple, dict)):
            return _NESTED_LABEL
        if len(self.label_text) > LONGEST_LABEL:
            return RefusedOpener(RefusalCode.BAD_ROW, f"The row's label has more than {LONGEST_LABEL:,} characters.")
        if len(self.path) > LONGEST_PATH:
            return RefusedOpener(RefusalCode.BAD_ROW, f"The row's path has more than {LONGEST_PATH:,} characters.")
        if self.data is None and not _is_a_path(self.path):
            return RefusedOpener(RefusalCode.BAD_ROW)
        return None


def _is_a_path(text: str) -> bool:
    try:
        return "\0" not in text and text.encode("utf-8", "surrogateescape") != b""
    except UnicodeError:
        return False
