"""One entry of an archive."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from facesieve.records import RefusalCode
from facesieve.sources.openers import RefusedOpener

_SEPARATOR = re.compile(r"[/\\]")
_SURE_SEPARATOR = re.compile(r"/|(?<![^\x00-\x7f])\\")
_UNOPENED = RefusedOpener(RefusalCode.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Member:
    """An entry as the archive's directory describes it.

    raw: the name as it is stored. name: the same as text. former: the text that version 0.1.0 made of it.
    open: returns a stream of its bytes, or raises Refused. link: the name of the member that it points to, if it is a
    link. hard: whether that is a hard link: of several members of that name it points to the last one before it.
    guessed: whether the encoding of the name is unknown, so that `name` may be wrong.
    """

    raw: bytes
    name: str
    former: str
    open: Callable[[], BinaryIO] = _UNOPENED
    fingerprint: str = ""
    link: str | None = None
    hard: bool = False
    is_folder: bool = False
    guessed: bool = False

    @property
    def parts(self) -> list[str]:
        """The folders and the file in the name; the first part is empty where the name is absolute.

        A backslash separates folders too, because Windows programs write it. If the encoding is unknown, a backslash
        after a byte that is not ASCII does not: in Shift-JIS and GBK it is the second byte of many characters.
        """
        first, *rest = (_SURE_SEPARATOR if self.guessed else _SEPARATOR).split(self.name)
        parts = [part for part in rest if part not in ("", ".")]
        return parts if first == "." and parts else [first, *parts]
