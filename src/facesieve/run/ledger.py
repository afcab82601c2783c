"""The ledger of a build: one part file for each finished shard. A shard is finished when its part file exists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from facesieve.dataset.commit import put, settle, writing
from facesieve.dataset.format import check_format, format_of, with_format
from facesieve.dataset.layout import HIDDEN, Layout
from facesieve.dataset.schema import part_schema, with_later_columns
from facesieve.dataset.sums import Sum, Sums, pairs_of, read_sums, sum_of, sum_of_file, sums_of, write_sums
from facesieve.dataset.tables import damaged, read_table, rows_in, table_bytes
from facesieve.records import RefusalCode

# The next build tries these again, because the disk, the memory or the load of the machine may have been the cause.
TRY_AGAIN = {
    RefusalCode.UNREADABLE.value,
    RefusalCode.CRASHED.value,
    RefusalCode.OUT_OF_MEMORY.value,
    RefusalCode.TOO_SLOW.value,
}

# A build with other limits tries these again.
BY_A_LIMIT = {
    RefusalCode.TOO_MANY_BYTES.value,
    RefusalCode.TOO_MANY_PIXELS.value,
    RefusalCode.TOO_LONG_SIDE.value,
    RefusalCode.TOO_MANY_SCANS.value,
}

EARLIEST = {"source", "label", "refusal", "fingerprint"}  # columns that the parts of every version have


@dataclass(frozen=True, slots=True)
class Ledger:
    """The parts of one dataset, in the order of their numbers."""

    layout: Layout

    def numbers(self) -> list[int]:
        """Numbers of the finished shards, ascending."""
        return self.layout.numbers(self.layout.parts)

    def next_number(self) -> int:
        """A number above all that are in use."""
        return max(self.numbers(), default=-1) + 1

    def commit(self, number: int, rows: pa.Table, thumbs: pa.Table, files: Sums) -> None:
        """Write the part of a finished shard, or replace it.

        files: the checksums of the picture files that its rows name; these files must be durable already.
        The checksums are written first, together with those of a part that is replaced, so that after a crash at any
        moment every file has a valid checksum. A replaced part keeps its modification time, because its pictures were
        not read again. Raises DatasetError when the disk refuses.
        """
        layout = self.layout
        thumbs_path, part_path, sums_path = layout.thumbs_of(number), layout.part(number), layout.sums_of(number)
        data = {thumbs_path: table_bytes(thumbs), part_path: table_bytes(with_format(rows))}
        sums = [*pairs_of(files), *((layout.name_of(path), sum_of(part)) for path, part in data.items())]
        replaced = [(layout.name_of(path), sum_of_file(path)) for path in data if path.exists()]
        made = self.written(number) if part_path.exists() else None
        write_sums(sums_of([*sums, *replaced]), sums_path, layout.scratch)
        if replaced:
            settle([sums_path], layout.root)
        put(data[thumbs_path], thumbs_path, layout.scratch)
        settle([sums_path, thumbs_path], layout.root)
        put(data[part_path], part_path, layout.scratch, made)
        settle([part_path], layout.root)
        if replaced:
            write_sums(sums_of(sums), sums_path, layout.scratch)
            settle([sums_path], layout.root)

    def rewrite(self, number: int, rows: pa.Table, thumbs: pa.Table | None = None) -> None:
        """Replace the rows of a part, and its thumbnails if they are given. Picture files stay as they are.

        Raises DatasetError when the disk refuses.
        """
        files = {name: known for name, known in self.sums(number).items() if not name.startswith(HIDDEN)}
        self.commit(number, rows, self.thumbs(number) if thumbs is None else thumbs, files)

    def remove(self, number: int) -> None:
        """Remove the part of a shard. Raises DatasetError when the disk refuses."""
        layout = self.layout
        paths = [layout.part(number), layout.thumbs_of(number), layout.sums_of(number)]
        with writing(layout.hidden):
            for path in paths:
                path.unlink(missing_ok=True)
        settle(paths, layout.root)

    def sums(self, number: int) -> Sums:
        """The checksums of one shard's files; empty if they were never written. Raises DatasetError when damaged."""
        return read_sums(self.layout.sums_of(number))

    def all_sums(self) -> Sums:
        """The checksums of all picture files and parts."""
        numbers = self.layout.numbers(self.layout.sums)
        return sums_of(pair for number in numbers for pair in pairs_of(self.sums(number)))

    def table(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of one part. Raises DatasetError when it is missing, damaged or has another format."""
        return self.read(number, columns, self.sums(number).get(self.layout.name_of(self.layout.part(number))))

    def read(self, number: int, columns: Sequence[str] | None, known: frozenset[Sum] | None) -> pa.Table:
        """As `table`. known: the checksums that the file may have; if empty, none is compared."""
        path = self.layout.part(number)
        table = read_table(path, columns, known or frozenset())
        wanted = _wanted(columns)
        if not EARLIEST & set(wanted.names) <= set(table.column_names):
            raise damaged(path)
        check_format(format_of(table), path, self.layout.root)
        table = with_later_columns(table, wanted)
        if not all(_holds(table.schema, field) for field in wanted):
            raise damaged(path)
        return table

    def thumbs(self, number: int) -> pa.Table:
        """The thumbnails of one part. Raises DatasetError when they are missing or damaged."""
        path = self.layout.thumbs_of(number)
        return read_table(path, None, self.sums(number).get(self.layout.name_of(path), frozenset()))

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows of all parts, oldest first, one part at a time."""
        return (self.table(number, columns) for number in self.numbers())

    def length(self, number: int) -> int:
        """How many rows a part has; reads only its footer. Raises DatasetError when it is missing or damaged."""
        return rows_in(self.layout.part(number))

    def written(self, number: int) -> int:
        """When the rows of a part were computed, in nanoseconds since 1970."""
        return self.layout.part(number).stat().st_mtime_ns


def _wanted(columns: Sequence[str] | None) -> pa.Schema:
    """The schema of `columns`, which may name fields of faces such as `faces.list.element.face_id`."""
    schema = part_schema(())
    if columns is None:
        return schema
    fields = [field for field in schema if field.name in columns]
    named = {column.rpartition(".")[2] for column in columns if column.startswith("faces.list.")}
    faces = [field for field in schema.field("faces").type.value_type if field.name in named]
    return pa.schema([*fields, *([pa.field("faces", pa.list_(pa.struct(faces)))] if faces else [])])


def _holds(schema: pa.Schema, field: pa.Field) -> bool:
    """Whether a part has a column; if the column is a list of structs, whether it has every field."""
    if field.name not in schema.names:
        return False
    if not pa.types.is_list(field.type) or not pa.types.is_struct(field.type.value_type):
        return True
    held = schema.field(field.name).type
    if not pa.types.is_list(held) or not pa.types.is_struct(held.value_type):
        return False
    return all(held.value_type.get_field_index(one.name) >= 0 for one in field.type.value_type)
