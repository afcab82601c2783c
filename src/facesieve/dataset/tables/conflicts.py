"""Conflicts between the rows of a ledger: rows with the same input, the same name or the same content.

Most rows are compared only by hashes. Rows whose hash occurs more than once are compared by value, in buckets of
bounded size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.tables.hashes import Hashes, HashSet, hashes_of, repeated_hashes
from facesieve.dataset.tables.inputs import absolute_name, free_name, input_keys
from facesieve.dataset.tables.name_sample import NameSample
from facesieve.dataset.tables.schema import part_schema
from facesieve.dataset.tables.shuffle import Shuffle
from facesieve.records import Integers, Mask

# Yields the parts of a ledger in order, with the given columns or all.
ReadParts = Callable[[Sequence[str] | None], Iterable[pa.Table]]

EVIDENCE = pa.schema([part_schema([]).field(name) for name in ("source", "identity", "label", "picture_id", "refusal")])
# One column of the faces is enough to count them. Older versions of Parquet use the second name.
_TO_COUNT_FACES = ("faces.list.element.kept", "faces.list.item.kept")
BUCKET = 100_000  # rows that are compared together
SPAN = 65_536  # ledger rows whose changes are read together

_COMPARED = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("key", pa.binary()),
        pa.field("source", pa.string()),
        pa.field("identity", pa.binary()),
        pa.field("label", pa.string()),
        pa.field("picture_id", pa.string()),
        pa.field("by_content", pa.bool_()),
        pa.field("renamed", pa.bool_()),
    ]
)
CHANGES = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("counts", pa.bool_()),
        pa.field("source", pa.string()),
        pa.field("same_as", pa.string()),
    ]
)


class ConflictSearch:
    """Finds the rows of a ledger that conflict, and what has to change. Each step passes rows to the next in buckets.

    tables: reads the parts. evidence: an empty shuffle of schema `EVIDENCE`. changes: an empty shuffle of schema
    `CHANGES`, which `run` fills. sample: a sample of the final names.
    """

    def __init__(self, tables: ReadParts, scratch: Path | None, evidence: Shuffle, changes: Shuffle) -> None:
        self._scratch, self._all_evidence, self._changes = scratch, evidence, changes
        self.sample, self._rows, self._replaced = NameSample(), 0, list[Integers]()
        for table in tables([*EVIDENCE.names, *_TO_COUNT_FACES]):
            rows = _evidence_in(table)
            evidence.add(rows, np.full(len(rows), self._rows // SPAN))
            self._rows += len(rows)
            self.sample.add(rows["source"], _face_counts(table))
        self._keys = repeated_hashes([_hashes(input_keys(rows)) for rows in self._evidence()])
        self._names = repeated_hashes([_hashes(rows["source"]) for rows in self._evidence()])
        self._contents = repeated_hashes([_contents(rows)[_was_read(rows)] for rows in self._evidence()])

    def run(self) -> None:
        """Find the conflicts and fill `changes`."""
        if not (len(self._keys) or len(self._names) or len(self._contents)):
            return
        with self._shuffle() as by_name, self._shuffle() as by_content:
            with self._shuffle() as by_key:
                self._select(by_key, by_name)
                self._drop_replaced(by_key, by_name)
            self._rename_shared(by_name, by_content)
            self._find_duplicates(by_content)

    def _evidence(self) -> Iterator[pa.Table]:
        """Yield the evidence of all rows, in ledger order."""
        return (self._all_evidence.bucket(number) for number in self._all_evidence.numbers())

    def _shuffle(self) -> Shuffle:
        return Shuffle(_COMPARED, self._scratch)

    def _bucket(self, hashes: Hashes) -> Integers:
        return hashes % (self._rows // BUCKET + 1)

    def _select(self, by_key: Shuffle, by_name: Shuffle) -> None:
        """Select the rows that, by their hashes, share an input, a name or a content with another row."""
        first = 0
        for rows in self._evidence():
            keys = input_keys(rows)
            key_hashes, name_hashes = _hashes(keys), _hashes(rows["source"])
            again, named = self._keys.has(key_hashes), self._names.has(name_hashes)
            content = self._contents.has(_contents(rows)) & _was_read(rows)
            columns = dict(zip(rows.column_names, rows.columns, strict=True)) | {
                "row": pa.array(np.arange(first, first + len(rows))),
                "key": keys,
                "by_content": pa.array(content),
                "renamed": pa.array(np.zeros(len(rows), bool)),
            }
            compared = pa.table([columns[name] for name in _COMPARED.names], schema=_COMPARED)
            other = (named | content) & ~again
            for shuffle, hashes, mask in ((by_key, key_hashes, again), (by_name, name_hashes, other)):
                if mask.any():
                    shuffle.add(compared.filter(pa.array(mask)), self._bucket(hashes[mask]))
            first += len(rows)

    def _drop_replaced(self, by_key: Shuffle, by_name: Shuffle) -> None:
        """Keep only the last row of each input."""
        for number in by_key.numbers():
            rows = by_key.bucket(number)
            codes = _value_codes(rows["key"])
            last = np.zeros(len(rows), np.int64)
            last[codes] = np.arange(len(rows))
            counts = last[codes] == np.arange(len(rows))
            self._replaced.append(np.asarray(rows["row"])[~counts])
            self._change(rows.filter(pa.array(~counts)), counts=False)
            rows = rows.filter(pa.array(counts))
            by_name.add(rows, self._bucket(_hashes(rows["source"])))

    def _rename_shared(self, by_name: Shuffle, by_content: Shuffle) -> None:
        """Rename inputs that share a name: to their absolute paths, or to numbered names if these paths clash."""
        numbered = self._numbered_names(by_name) if self._paths_clash(by_name) else {}
        for number in by_name.numbers():
            rows = by_name.bucket(number)
            shared = _shares_name(rows)
            if shared.any():
                rows = _renamed(rows, shared, numbered)
                self.sample.add(rows["source"].filter(pa.array(shared)), np.zeros(int(shared.sum()), np.int64))
            content = np.asarray(rows["by_content"])
            self._change(rows.filter(pa.array(shared & ~content)))
            rows = rows.filter(pa.array(content))
            by_content.add(rows, self._bucket(_contents(rows)))

    def _paths_clash(self, by_name: Shuffle) -> bool:
        """Whether two inputs would have the same name if the renamed ones were named by their absolute paths."""
        chunks = list[Hashes]()
        for number in by_name.numbers():
            rows = _with_shared_names(by_name.bucket(number)).select(["identity", "source"])
            chunks.append(hashes_of([_absolute(row) for row in rows.to_pylist()]))
        new = HashSet(chunks)
        if not len(new):
            return False
        return len(repeated_hashes(chunks)) > 0 or any(
            new.has(_hashes(rows["source"])).any() for rows in self._evidence()
        )

    def _numbered_names(self, by_name: Shuffle) -> dict[int, str]:
        """A free name for each row, chosen in the order of identities. Holds all shared names in memory."""
        shared = [row for number in by_name.numbers() for row in _with_shared_names(by_name.bucket(number)).to_pylist()]
        used, first, names = list[Hashes](), 0, {row["source"] for row in shared}
        replaced = np.concatenate([np.zeros(0, np.int64), *self._replaced])
        for table in self._evidence():
            counts = ~np.isin(np.arange(first, first + len(table)), replaced)
            mine = [
                name for name, one in zip(table["source"].to_pylist(), counts, strict=True) if one and name not in names
            ]
            used.append(hashes_of(mine))
            first += len(table)
        others, chosen, found = HashSet(used), set[str](), dict[int, str]()
        for row in sorted(shared, key=lambda row: (row["identity"] or b"", row["key"])):
            name = free_name(_absolute(row), lambda name: name in chosen or others.has(hashes_of([name]))[0])
            chosen.add(name)
            found[row["row"]] = name
        return found

    def _find_duplicates(self, by_content: Shuffle) -> None:
        """Mark equal pictures with the same label as duplicates of the first one by name."""
        for number in by_content.numbers():
            first = dict[tuple[str, str], str]()
            for rows in by_content.pieces(number):  # there may be a million rows of one picture
                for content, name in zip(*_contents_and_names(rows), strict=True):
                    first[content] = min(name, first.get(content, name))
            for rows in by_content.pieces(number):
                pairs = zip(*_contents_and_names(rows), strict=True)
                firsts = [None if first[content] == name else first[content] for content, name in pairs]
                same_as = pa.array(firsts, pa.string())
                changed = pc.or_(rows["renamed"].combine_chunks(), pc.is_valid(same_as))
                self._change(rows.filter(changed), same_as=same_as.filter(changed))

    def _change(self, rows: pa.Table, counts: bool = True, same_as: pa.Array | None = None) -> None:
        nothing = pa.scalar(None, pa.string())
        columns = [
            rows["row"],
            pa.array(np.full(len(rows), counts)),
            pc.if_else(rows["renamed"], rows["source"], nothing),
            pa.nulls(len(rows), pa.string()) if same_as is None else same_as,
        ]
        self._changes.add(pa.table(columns, schema=CHANGES), np.asarray(rows["row"]) // SPAN)


def _evidence_in(rows: pa.Table) -> pa.Table:
    held = rows.select([name for name in EVIDENCE.names if name in rows.column_names])
    return pa.concat_tables([EVIDENCE.empty_table(), held], promote_options="default")


def _face_counts(rows: pa.Table) -> Integers:
    return np.asarray(pc.fill_null(pc.list_value_length(rows["faces"]), 0)).astype(np.int64)


def _was_read(rows: pa.Table) -> Mask:
    """Whether the picture of each row was read, and not refused."""
    return np.asarray(pc.is_null(rows["refusal"]))


def _value_codes(column: pa.ChunkedArray) -> Integers:
    """(N,) int64, where equal values have equal numbers."""
    encoded = column.combine_chunks().dictionary_encode("encode")
    return np.asarray(encoded.indices).astype(np.int64)


def _hashes(column: pa.ChunkedArray) -> Hashes:
    return hashes_of(column.to_pylist())


def _contents(rows: pa.Table) -> Hashes:
    return hashes_of(_contents_and_names(rows)[0])


def _contents_and_names(rows: pa.Table) -> tuple[list[tuple[str, str]], list[str]]:
    """The (label, sha256) of each picture, and its name."""
    label, picture_id, name = (rows[name].to_pylist() for name in ("label", "picture_id", "source"))
    return list(zip(label, picture_id, strict=True)), name


def _shares_name(rows: pa.Table) -> Mask:
    """Whether each row shares its name with another row. All rows of one name are in one bucket."""
    codes = _value_codes(rows["source"])
    return np.asarray(np.bincount(codes)[codes] > 1) if len(codes) else np.zeros(0, bool)


def _with_shared_names(rows: pa.Table) -> pa.Table:
    return rows.filter(pa.array(_shares_name(rows)))


def _renamed(rows: pa.Table, shared: Mask, numbered: Mapping[int, str]) -> pa.Table:
    those = rows.filter(pa.array(shared)).select(["row", "identity", "source"]).to_pylist()
    names = pa.array([numbered.get(row["row"]) or _absolute(row) for row in those], pa.string())
    rows = replace_values(rows, "source", np.flatnonzero(shared), pa.chunked_array([names]))
    return rows.set_column(rows.schema.get_field_index("renamed"), "renamed", pa.array(shared))


def _absolute(row: Mapping[str, Any]) -> str:
    return absolute_name(row["identity"], row["source"])


def replace_values(rows: pa.Table, name: str, at: Integers, values: pa.ChunkedArray) -> pa.Table:
    """The table with new values in one column, in the rows `at`. A null keeps the old value."""
    there = np.asarray(pc.is_valid(values))
    mask = np.zeros(len(rows), bool)
    mask[at[there]] = True
    index, field = rows.schema.get_field_index(name), rows.schema.field(name)
    old, new = (column.combine_chunks() for column in (rows[name], values.drop_null()))
    return rows.set_column(index, field, pc.replace_with_mask(old, pa.array(mask), new))
