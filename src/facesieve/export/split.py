"""Which split each face belongs to, by hashes alone, so that faces that are added move no other face.

a face ─ its unit: the label, the picture, or the file that the picture is in
units that share a picture or a crop ─ one group, which is never divided
a group ─ a number in [0, 1) from the hash of one of its units ─ the split whose share it falls into
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from facesieve.records import Floats, Integers

Hashes = npt.NDArray[np.uint64]
_MEMBER = re.compile(r"!|:\d+(?:!|$)")  # what follows is inside an archive or a list


def hashes(texts: Iterable[str], seed: int) -> Hashes:
    """(N, 2) two independent numbers per text, the same on every machine and in every version."""
    key = str(seed).encode()[:64]
    digests = (hashlib.blake2b(text.encode(), digest_size=16, key=key).digest() for text in texts)
    return np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2)


def container(source: str) -> str:
    """The file that a picture is in: an archive or a list, or the picture file itself.

    >>> container("albums/1.zip!ada/3.jpg"), container("people.parquet:7"), container("ada/3.jpg")
    ('albums/1.zip', 'people.parquet', 'ada/3.jpg')
    """
    found = _MEMBER.search(source)
    return source[: found.start()] if found else source


def unit_of(by: str) -> Callable[[str, str, str], str]:
    """A function from the label, the id of the picture and the source of a face to the text of its unit."""
    if by == "label":
        return lambda label, picture, source: f"label {label}" if label else f"picture {picture}"
    if by == "source":
        return lambda label, picture, source: f"source {container(source)}"
    return lambda label, picture, source: f"picture {picture}"


def draws(units: Hashes, links: Sequence[Integers]) -> Floats:
    """(N,) a number in [0, 1) for each face, the same for all faces of a group.

    units: (N, 2) hashes of the units of the faces. links: further columns; faces that share a value of one of them are
    in one group. A value below 0 links nothing.
    """
    if not len(units):
        return np.zeros(0)
    first, own = np.unique(units[:, 0], return_inverse=True)
    least = _joined([own, *(_codes(link) for link in links)])
    at = np.full(len(first), -1, np.int64)
    at[own] = np.arange(len(units))
    return np.asarray(units[at[least], 1] / 2.0**64)


def splits_of(draw: Floats, shares: Sequence[float]) -> Integers:
    """(N,) the index of each face's split. shares: of the splits, in order; they add up to 1."""
    ends = np.cumsum(shares)[:-1]
    return np.searchsorted(ends, draw, side="right").astype(np.int64)


def _joined(columns: Sequence[Integers]) -> Integers:
    """(N,) the least value of the first column among all rows that are linked, directly or through others."""
    found = columns[0]
    while True:
        before = found
        for codes in columns:
            found = _least_of_each(codes, found)[codes]
        found = _least_of_each(before, found)[before]  # long chains take few rounds: what was joined goes together,
        found = _least_of_each(columns[0], found)[found]  # and takes two steps at once
        if np.array_equal(found, before):
            return found


def _least_of_each(codes: Integers, values: Integers) -> Integers:
    """The least of the values at each code from 0."""
    least = np.full(int(codes.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, codes, values)
    return least


def _codes(link: Integers) -> Integers:
    """The values as numbers from 0; each value below 0 is a number of its own."""
    codes = np.unique(link, return_inverse=True)[1].astype(np.int64)
    alone = np.flatnonzero(link < 0)
    codes[alone] = int(codes.max(initial=0)) + 1 + np.arange(len(alone))
    return codes
