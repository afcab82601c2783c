"""What tells the inputs of a ledger apart, and how an input is called that shares its name."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.records import Integers, displayed


def keys_of(rows: pa.Table) -> pa.ChunkedArray:
    """What tells the inputs of these rows apart: the identity, or the name where version 0.1.0 wrote none."""
    return pc.coalesce(rows["identity"], pc.cast(rows["source"], pa.binary()))


def codes_of(column: pa.ChunkedArray) -> Integers:
    """Small integers that are equal where the values are."""
    encoded = column.combine_chunks().dictionary_encode("encode")
    return np.asarray(encoded.indices).astype(np.int64)


def absolute(identity: bytes | None, name: str) -> str:
    """What an input is called that shares its name with others, such as `photos/1.jpg` built from two working folders.

    It is the absolute path; a row of version 0.1.0 has none, and keeps its name.
    """
    if not identity:
        return name
    plain = identity.replace(b"\0", b"")  # which stands between an archive and its member
    return displayed(plain.decode("utf-8", "surrogateescape"))


def free_name(name: str, taken: Callable[[str], bool]) -> str:
    """The name itself, or the first of `name (2)`, `name (3)`... that is not taken.

    Even absolute paths can be spelled alike: a line break and the text `\\n`.
    """
    if not taken(name):
        return name
    return next(other for number in count(2) if not taken(other := f"{name} ({number})"))
