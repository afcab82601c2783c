"""The ledger of a build: one part per finished shard. A shard is finished when its part file exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from facesieve.dataset.disk.atomic import sync_folders, wrap_write_errors
from facesieve.dataset.disk.checksums import Checksum, Checksums, read_checksums
from facesieve.dataset.disk.format import check_format, format_of, with_format
from facesieve.dataset.disk.layout import HIDDEN, Layout
from facesieve.dataset.disk.own_file import damaged_file
from facesieve.dataset.disk.parquet import read_table, row_count, table_bytes
from facesieve.dataset.disk.replace import NewFile, replace_files
from facesieve.dataset.tables.former import with_current_reasons
from facesieve.dataset.tables.schema import part_schema, with_later_columns
from facesieve.records import RefusalCode
from facesieve.sources.remote.remote import COUNTED

# The disk, the memory or the load may have caused these refusals, so the next build tries again.
TRY_AGAIN = {
    *(code.value for code in COUNTED),
    RefusalCode.UNREADABLE.value,
    RefusalCode.CRASHED.value,
    RefusalCode.OUT_OF_MEMORY.value,
    RefusalCode.TOO_SLOW.value,
}

# These refusals depend on the limits in the settings, so a build with other limits tries again.
LIMIT_REFUSALS = {
    RefusalCode.TOO_MANY_BYTES.value,
    RefusalCode.TOO_MANY_PIXELS.value,
    RefusalCode.TOO_LONG_SIDE.value,
    RefusalCode.TOO_MANY_SCANS.value,
    RefusalCode.TOO_LONG.value,
}

EARLIEST = {"source", "label", "refusal", "fingerprint"}  # columns that every version has written


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of one dataset: its parts, in the order of their numbers."""

    layout: Layout

    def numbers(self) -> list[int]:
        """The numbers of the finished shards, ascending."""
        return self.layout.numbers(self.layout.parts)

    def next_number(self) -> int:
        """A number that is higher than all in use."""
        return max(self.numbers(), default=-1) + 1

    def commit(
        self, number: int, rows: pa.Table, thumbs: pa.Table, files: Checksums, written: int | None = None
    ) -> None:
        """Record a shard as finished, or replace its part.

        files: the checksums of the picture files that the rows name; these files must be durable already.
        written: when the pictures were read, in nanoseconds since 1970. None means now, or for a replaced part the time
        when that was written, because its pictures were not read again.
        Thumbnails are written before the part, because the part says that the shard is finished.
        Raises DatasetError if a write fails.
        """
        layout = self.layout
        part = layout.part(number)
        modified = self.written(number) if written is None and part.exists() else written
        new = [
            NewFile(layout.thumbs_of(number), table_bytes(thumbs)),
            NewFile(part, table_bytes(with_format(rows)), modified),
        ]
        replace_files(new, files, layout.sums_of(number), layout)

    def rewrite(self, number: int, rows: pa.Table, thumbs: pa.Table | None = None) -> None:
        """Replace the rows of a part. Its picture files do not change.

        thumbs: the new thumbnails; None keeps the old ones. Raises DatasetError if a write fails.
        """
        files = {name: known for name, known in self.sums(number).items() if not name.startswith(HIDDEN)}
        self.commit(number, rows, self.thumbs(number) if thumbs is None else thumbs, files)

    def rename_files(self, number: int, rows: pa.Table, renamed: Mapping[str, str]) -> None:
        """Replace the rows of a part, which name some picture files anew. Thumbnails stay as they are.

        renamed: the new names by the old ones; both exist, and the new ones are durable. Raises DatasetError.
        """
        layout, part, known = self.layout, self.layout.part(number), self.sums(number)
        listed = {new: known[old] for old, new in renamed.items() if old in known}  # not there if a call was killed
        others = {name: one for name, one in known.items() if name not in renamed and name != layout.name_of(part)}
        new = NewFile(part, table_bytes(with_format(rows)), self.written(number))
        replace_files([new], others | listed, layout.sums_of(number), layout)

    def remove(self, number: int) -> None:
        """Remove a part with its thumbnails and checksums. Raises DatasetError if a file cannot be removed."""
        layout = self.layout
        paths = [layout.part(number), layout.thumbs_of(number), layout.sums_of(number)]
        with wrap_write_errors(layout.hidden):
            for path in paths:
                path.unlink(missing_ok=True)
        sync_folders(paths, layout.root)

    def sums(self, number: int) -> Checksums:
        """The checksums of one shard; empty if it has no checksum file. Raises DatasetError if that is damaged."""
        return read_checksums(self.layout.sums_of(number))

    def table(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of one part. Raises DatasetError if it is missing, damaged or of another format."""
        return self.read(number, columns, self.sums(number).get(self.layout.name_of(self.layout.part(number))))

    def read(self, number: int, columns: Sequence[str] | None, known: frozenset[Checksum] | None) -> pa.Table:
        """Like `table`. known: the checksums that the file may have. None or an empty set skips the check."""
        path = self.layout.part(number)
        table = read_table(path, columns, known or frozenset())
        wanted = _needed_schema(columns)
        if not EARLIEST & set(wanted.names) <= set(table.column_names):
            raise damaged_file(path)
        check_format(format_of(table), path, self.layout.root)
        table = with_current_reasons(with_later_columns(table, wanted))
        if not all(_holds(table.schema, field) for field in wanted):
            raise damaged_file(path)
        return table

    def thumbs(self, number: int) -> pa.Table:
        """The thumbnails of one part. Raises DatasetError if they are missing or damaged."""
        path = self.layout.thumbs_of(number)
        return read_table(path, None, self.sums(number).get(self.layout.name_of(path), frozenset()))

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows of each part, the oldest first."""
        return (self.table(number, columns) for number in self.numbers())

    def length(self, number: int) -> int:
        """The number of rows of a part; reads only the footer. Raises DatasetError if it is missing or damaged."""
        return row_count(self.layout.part(number))

    def written(self, number: int) -> int:
        """When a part was written, in nanoseconds since 1970."""
        return self.layout.part(number).stat().st_mtime_ns


def _needed_schema(columns: Sequence[str] | None) -> pa.Schema:
    """The schema that a part needs for `columns`, which may name a field of faces: `faces.list.element.face_id`."""
    schema = part_schema(())
    if columns is None:
        return schema
    fields = [field for field in schema if field.name in columns]
    named = {column.rpartition(".")[2] for column in columns if column.startswith("faces.list.")}
    faces = [field for field in schema.field("faces").type.value_type if field.name in named]
    return pa.schema([*fields, *([pa.field("faces", pa.list_(pa.struct(faces)))] if faces else [])])


def _holds(schema: pa.Schema, field: pa.Field) -> bool:
    """Whether a part has a column and, if that is a list of structs, all its fields."""
    if field.name not in schema.names:
        return False
    if not pa.types.is_list(field.type) or not pa.types.is_struct(field.type.value_type):
        return True
    held = schema.field(field.name).type
    if not pa.types.is_list(held) or not pa.types.is_struct(held.value_type):
        return False
    return all(held.value_type.get_field_index(one.name) >= 0 for one in field.type.value_type)
