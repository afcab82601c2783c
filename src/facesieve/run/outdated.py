"""Finds manifests that are undamaged but disagree with the ledger, because a build ended before it updated them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import read_groups
from facesieve.dataset.tables.former import with_current_reasons
from facesieve.dataset.tables.row_stream import RowStream
from facesieve.dataset.tables.schema import embedding_schema, with_later_columns
from facesieve.run.contents import Contents, has_ledger


def outdated_manifests(contents: Contents, faulty: set[str]) -> Iterator[str]:
    """Yields the names of such manifests. faulty: names of files that are missing or damaged; they are skipped."""
    layout = contents.layout
    if not has_ledger(layout):
        return
    schemas = {layout.faces: contents.origin.face_schema, layout.pictures: contents.origin.picture_schema}
    if contents.origin.identity:
        schemas[layout.embeddings] = embedding_schema()
    names = {path: layout.name_of(path) for path in schemas}
    whole = [path for path, name in names.items() if not any(f"{one}/".startswith(f"{name}/") for one in faulty)]
    held = {path: RowStream(_rows_in(layout, path, schemas[path]), schemas[path]) for path in whole}
    same = dict.fromkeys(whole, True)
    for block in contents.blocks():
        for path, rows in zip(schemas, block, strict=False):  # without embeddings, the last is None
            if path in same:
                same[path] &= held[path].take(len(rows)).equals(rows)
    for path in whole:
        if not (same[path] and held[path].ended()):
            yield names[path]


def _rows_in(layout: Layout, manifest: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    for path in layout.files_of(manifest):
        for rows in read_groups(path):
            yield with_current_reasons(with_later_columns(rows, schema))
