"""Which rows of a ledger belong to one input, and a name of its own for every input."""

from __future__ import annotations

from itertools import count

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.records import displayed


def keys_of(rows: pa.Table) -> pa.ChunkedArray:
    """What tells the inputs of these rows apart: the identity, or the name where version 0.1.0 wrote none."""
    return pc.coalesce(rows["identity"], pc.cast(rows["source"], pa.binary()))


def codes_of(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Small integers that are equal where the values are."""
    encoded = column.combine_chunks().dictionary_encode("encode")
    return np.asarray(encoded.indices).astype(np.int64)


def distinct_names(sources: pa.ChunkedArray, identities: pa.ChunkedArray) -> pa.Array:
    """A name for every input, no two alike; there is one item per input.

    Inputs of one name, such as `photos/1.jpg` built from two working folders, are called by their absolute paths.
    Where even those are spelled alike (a line break and the text `\\n`), the later ones get a number.
    """
    codes = codes_of(sources)
    shared = np.bincount(codes)[codes] > 1 if len(codes) else np.zeros(0, bool)
    names = sources.to_pylist() if shared.any() else []
    if not names:
        return sources.combine_chunks()
    held = identities.to_pylist()
    taken = {name for name, alike in zip(names, shared, strict=True) if not alike}
    for item in sorted(np.flatnonzero(shared).tolist(), key=lambda item: held[item] or b""):
        names[item] = _free(_absolute(held[item], names[item]), taken)
        taken.add(names[item])
    return pa.array(names, pa.string())


def _absolute(identity: bytes | None, name: str) -> str:
    if not identity:
        return name
    plain = identity.replace(b"\0", b"")  # which stands between an archive and its member
    return displayed(plain.decode("utf-8", "surrogateescape"))


def _free(name: str, taken: set[str]) -> str:
    """The name itself, or the first of `name (2)`, `name (3)`... that no other input has."""
    if name not in taken:
        return name
    return next(other for number in count(2) if (other := f"{name} ({number})") not in taken)
