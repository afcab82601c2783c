"""Names of many files meet their sums, some at a time, in whatever order both come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from facesieve.dataset.hashes import hashes_of
from facesieve.dataset.shuffle import Shuffle
from facesieve.dataset.sums import Sum, Sums, pairs_of, sums_of

TOGETHER = 100_000  # files

_NAMES = pa.schema([pa.field("name", pa.string()), pa.field("value", pa.string())])
_SUMS = pa.schema([pa.field("name", pa.string()), pa.field("sha256", pa.string()), pa.field("size", pa.int64())])


def matched(
    names: Iterable[dict[str, str]], sums: Iterable[Sums], files: int, scratch: Path | None
) -> Iterator[tuple[dict[str, str], Sums]]:
    """The names, with a value each, and the sums of these names and perhaps of others.

    files: about how many names there are. scratch: folder of temporary files; None takes the system's.
    """
    buckets = files // TOGETHER + 1
    with Shuffle(_NAMES, scratch) as by_name, Shuffle(_SUMS, scratch) as known:
        for some in names:
            rows = pa.table([list(some), list(some.values())], schema=_NAMES)
            by_name.add(rows, hashes_of(list(some)) % buckets)
        for one in sums:
            pairs = list(pairs_of(one))
            columns = [name for name, _ in pairs], [held.sha256 for _, held in pairs], [held.size for _, held in pairs]
            known.add(pa.table(list(columns), schema=_SUMS), hashes_of(columns[0]) % buckets)
        for number in range(buckets):
            found, held = by_name.bucket(number), known.bucket(number)
            rows = zip(*(column.to_pylist() for column in held.columns), strict=True)
            values = dict(zip(*(column.to_pylist() for column in found.columns), strict=True))
            yield values, sums_of((name, Sum(sha256, size)) for name, sha256, size in rows)
