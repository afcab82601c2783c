"""Computes the embeddings of ledger parts from the stored crops."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.checksums import Checksums
from facesieve.dataset.disk.format import embedded_with, with_embedded
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.embeddings import stored_columns
from facesieve.dataset.tables.named_files import NAMING_COLUMNS
from facesieve.dataset.tables.nested import with_face_columns
from facesieve.dataset.tables.resolve import ResolvedPart, resolve
from facesieve.dataset.tables.schema import EMBEDDING_FIELDS, part_schema
from facesieve.errors import DatasetError
from facesieve.records import EMBEDDING_SIZE, TEMPLATE_SIZE, Embeddings, Mask, NoEmbedding, Pixels
from facesieve.run.ledger import Ledger
from facesieve.run.stored_crops import StoredCrops, checksums_of_crops

BATCH = 64  # crops in memory at a time

Embed = Callable[[Pixels], Embeddings]


def parts_without(ledger: Ledger, model: str) -> set[int]:
    """The numbers of the parts that do not have the embeddings of a model. model: its sha256; "" for no embeddings."""
    return {number for number in ledger.numbers() if embedded_with(ledger.table(number, [])) != model}


def embed_parts(ledger: Ledger, todo: Collection[int], origin: Origin, embed: Embed) -> Iterator[int]:
    """Compute the embeddings of these parts. Yields the number of crops of every batch."""
    if not todo:
        return
    crops = StoredCrops(ledger.layout, origin.options.outputs, _crop_size(origin))
    with resolve(ledger.tables, ledger.layout.scratch) as found:
        parts = zip(ledger.numbers(), found.resolved(ledger.tables(NAMING_COLUMNS)), strict=True)
        for number, part in parts:
            if number in todo:
                yield from _embed_part(ledger, number, part, origin, embed, crops)


def crops_in(rows: pa.Table) -> int:
    files = rows["faces"].combine_chunks().flatten().field("file_name")
    return len(files) - int(files.null_count)


def _crop_size(origin: Origin) -> int:
    return int(str(origin.settings.get("crop_size", TEMPLATE_SIZE)))


def _embed_part(
    ledger: Ledger, number: int, part: ResolvedPart, origin: Origin, embed: Embed, crops: StoredCrops
) -> Iterator[int]:
    """Compute the embeddings of one part, and write it. part: its file names, and which rows count."""
    rows = ledger.table(number)
    nested = rows["faces"].combine_chunks()
    names = nested.flatten().field("file_name").to_pylist()
    counts = _counts_of_faces(part, nested)
    vectors = np.zeros((len(names), EMBEDDING_SIZE), np.float16)
    missing = np.full(len(names), NoEmbedding.NO_CROP.value, object)
    written = [row for row, name in enumerate(names) if name is not None]
    sums = checksums_of_crops(nested.flatten()) if origin.options.outputs.in_tars else ledger.sums(number)
    for start in range(0, len(written), BATCH):
        batch = written[start : start + BATCH]
        read = {row: _crop(names[row], sums, crops, bool(counts[row])) for row in batch}
        whole = {row: crop for row, crop in read.items() if crop is not None}
        missing[batch] = NoEmbedding.NOT_COMPUTED.value
        if whole:
            found, there = embed(np.stack(list(whole.values()))), list(whole)
            vectors[there], missing[there] = found.vectors, found.missing
        yield len(batch)
    table = _with_embeddings(rows, Embeddings(vectors, tuple(missing.tolist())), origin)
    ledger.rewrite(number, with_embedded(table, origin.embedded_with))


def _crop(name: str, sums: Checksums, crops: StoredCrops, counts: bool) -> Pixels | None:
    """The crop of a face. If the row of the face does not count, a crop that is damaged or missing is None."""
    try:
        crop = crops.read(name, sums.get(name, frozenset()))
    except DatasetError:
        if counts:
            raise
        return None
    if crop is None and counts:
        raise crops.damaged(name, "missing")
    return crop


def _counts_of_faces(part: ResolvedPart, nested: pa.ListArray) -> Mask:
    """For each face of a part, whether its row counts: no later row replaces it, and its picture is no duplicate."""
    row_counts = part.counts & np.asarray(part.rows["refusal"].is_null())
    lengths = np.asarray(nested.value_lengths().fill_null(0))
    return np.repeat(row_counts, lengths)


def _with_embeddings(rows: pa.Table, found: Embeddings, origin: Origin) -> pa.Table:
    """The rows of a part, with the embeddings in each face."""
    in_tars, with_clips = origin.options.outputs.in_tars, rows["faces"].type.value_type.get_field_index("frame") >= 0
    measures = (origin if with_clips else origin.without_clips()).measures
    faces = part_schema(measures, in_tars, embedded=True, clips=with_clips).field("faces")
    columns = zip(EMBEDDING_FIELDS, stored_columns(found), strict=True)
    stored = {field.name: pa.array(values, field.type) for field, values in columns}
    return with_face_columns(rows, stored, faces.type.value_type)
