"""What identifies the inputs in a ledger, and the names of inputs that share a name."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.records import displayed


def input_keys(rows: pa.Table) -> pa.ChunkedArray:
    """What identifies the input of each row: its identity, or its name if version 0.1.0 wrote the row."""
    return pc.coalesce(rows["identity"], pc.cast(rows["source"], pa.binary()))


def absolute_name(identity: bytes | None, name: str) -> str:
    """The absolute path of an input, as its name. A row that version 0.1.0 wrote has none and keeps its name.

    It replaces a name that several inputs share, such as `photos/1.jpg` built from two working folders.
    """
    if not identity:
        return name
    path = identity.replace(b"\0", b"")  # a NUL separates an archive from its member
    return displayed(path.decode("utf-8", "surrogateescape"))


def free_name(name: str, taken: Callable[[str], bool]) -> str:
    """The name itself, or the first of `name (2)`, `name (3)`... that is not taken.

    Even two absolute paths can look alike: one with a line break, one with the text `\\n`.
    """
    if not taken(name):
        return name
    return next(other for number in count(2) if not taken(other := f"{name} ({number})"))
