"""Joins the names of many files with their checksums, in bounded memory. Names and checksums may be in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from facesieve.dataset.disk.checksums import Checksum, Checksums, checksum_pairs, checksums_by_name
from facesieve.dataset.tables.hashes import hashes_of
from facesieve.dataset.tables.shuffle import Shuffle

BUCKET = 100_000  # files that are joined together

_NAMES = pa.schema([pa.field("name", pa.string()), pa.field("value", pa.string())])
_SUMS = pa.schema([pa.field("name", pa.string()), pa.field("sha256", pa.string()), pa.field("size", pa.int64())])


def join_checksums(
    names: Iterable[dict[str, str]], sums: Iterable[Checksums], files: int, scratch: Path | None
) -> Iterator[tuple[dict[str, str], Checksums]]:
    """Yield blocks: some names with their values, and the checksums of at least these names.

    names: blocks of names, each with a value. sums: blocks of checksums. files: roughly the number of names.
    scratch: the folder for temporary files; None uses that of the system.
    """
    buckets = files // BUCKET + 1
    with Shuffle(_NAMES, scratch) as by_name, Shuffle(_SUMS, scratch) as known:
        for some in names:
            rows = pa.table([list(some), list(some.values())], schema=_NAMES)
            by_name.add(rows, hashes_of(list(some)) % buckets)
        for one in sums:
            pairs = list(checksum_pairs(one))
            columns = [name for name, _ in pairs], [held.sha256 for _, held in pairs], [held.size for _, held in pairs]
            known.add(pa.table(list(columns), schema=_SUMS), hashes_of(columns[0]) % buckets)
        for number in range(buckets):
            found, held = by_name.bucket(number), known.bucket(number)
            rows = zip(*(column.to_pylist() for column in held.columns), strict=True)
            values = dict(zip(*(column.to_pylist() for column in found.columns), strict=True))
            yield values, checksums_by_name((name, Checksum(sha256, size)) for name, sha256, size in rows)
