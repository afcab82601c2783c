"""The identity of a source: raw bytes, made from its path, that no other source has. Also the names of 0.1.0."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from facesieve.records import displayed


def identity_of(path: str | Path) -> bytes:
    """The absolute path in one spelling, as raw bytes. Links are not resolved.

    `..` is resolved as the file system does: behind a link to a folder it is the parent of the folder, not of the link.
    """
    absolute = os.path.join(path if os.path.isabs(path) else os.getcwd(), path)  # noqa: PTH109, PTH117, PTH118 - any text
    if ".." in Path(absolute).parts:
        absolute = _without_parent_links(absolute)
    return os.fsencode(os.path.normpath(absolute)).replace(b"//", b"/", 1)


def identity_of_member(archive: bytes, raw: bytes, times: int) -> bytes:
    """The identity of a member of an archive, by its stored name.

    times: how often this name has occurred in the archive, this time included. A NUL byte separates the parts: no path
    can hold one, so no file has the identity of a member.
    """
    return archive + b"!\0" + raw + b"\0" + (b" (%d)" % times if times > 1 else b"")


def identity_of_row(table: bytes, number: int) -> bytes:
    """The identity of a picture that a list holds in one of its rows."""
    return table + b":\0%d" % number


def former_identity(identity: bytes) -> bytes:
    """The identity of a member or row as it was written before it had NUL bytes; b"" for that of a file."""
    container, nul, part = identity.partition(b"\0")
    if not nul or container.endswith(b":"):
        return container + part if nul else b""
    raw, _, again = part.rpartition(b"\0")
    return container + raw + (b"\0" + again.strip(b" ()") if again else b"")


def former(name: str, now: str = "") -> str:
    """The name as version 0.1.0 wrote it into its ledger, or "" where that is the same as today's name (`now`).

    That version composed names (NFC), and escaped what Python calls unprintable, such as an ideographic space.
    """
    if name.isascii() and name.isprintable() and not now:
        return ""
    escaped = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)
    before = unicodedata.normalize("NFC", escaped)
    return "" if before == (now or displayed(name)) else before


def _without_parent_links(path: str) -> str:
    """The path with every `..` resolved, one after the other from the left."""
    here, *parts = Path(path).parts
    for part in parts:
        if part == "..":
            real = os.path.realpath(here) if os.path.islink(here) else here  # noqa: PTH114
            here = os.path.dirname(real)  # noqa: PTH120
        else:
            here = os.path.join(here, part)  # noqa: PTH118
    return here
