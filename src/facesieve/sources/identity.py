"""What tells one source from all others: raw bytes that are made from its place, and the names of version 0.1.0."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from facesieve.records import displayed


def identity_of(path: str | Path) -> bytes:
    """Where a path is, as raw bytes: absolute, in one spelling. Links stay links.

    `..` leads to where the file system goes, which behind a link to a folder is not the folder of the link.
    """
    place = os.path.join(path if os.path.isabs(path) else os.getcwd(), path)  # noqa: PTH109, PTH117, PTH118 - any text
    if ".." in Path(place).parts:
        place = _climbed(place)
    return os.fsencode(os.path.normpath(place)).replace(b"//", b"/", 1)


def identity_of_member(archive: bytes, raw: bytes, times: int) -> bytes:
    """Of a member of an archive, by its stored name; times: how often the archive has had this name by now.

    A NUL byte stands where the parts meet: no path holds one, so that no file has the identity of a member.
    """
    return archive + b"!\0" + raw + b"\0" + (b" (%d)" % times if times > 1 else b"")


def identity_of_row(table: bytes, number: int) -> bytes:
    """Of what a list holds in one of its rows."""
    return table + b":\0%d" % number


def former_identity(identity: bytes) -> bytes:
    """How the identity of a member or row was written when it had no NUL bytes; b"" for that of a file."""
    place, nul, part = identity.partition(b"\0")
    if not nul or place.endswith(b":"):
        return place + part if nul else b""
    raw, _, again = part.rpartition(b"\0")
    return place + raw + (b"\0" + again.strip(b" ()") if again else b"")


def former(name: str, now: str = "") -> str:
    """How version 0.1.0 wrote a name into its ledger, or "" where that is the name of today (`now`).

    It composed names (NFC), and escaped all that Python calls unprintable, such as an ideographic space.
    """
    if name.isascii() and name.isprintable() and not now:
        return ""
    escaped = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)
    before = unicodedata.normalize("NFC", escaped)
    return "" if before == (now or displayed(name)) else before


def _climbed(place: str) -> str:
    here, *parts = Path(place).parts
    for part in parts:
        if part == "..":
            real = os.path.realpath(here) if os.path.islink(here) else here  # noqa: PTH114
            here = os.path.dirname(real)  # noqa: PTH120
        else:
            here = os.path.join(here, part)  # noqa: PTH118
    return here
