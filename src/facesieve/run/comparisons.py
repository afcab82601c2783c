"""The kept faces of a dataset, compared within and across labels, and with another dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.manifests import Manifests
from facesieve.models.catalog import Limits
from facesieve.quality import mirrored_bits
from facesieve.records import Floats, Floats16, Indices, Mask
from facesieve.relate import Duplicates, LabelFit, Space, find_duplicates, fit_labels
from facesieve.run.face_columns import FaceColumns, face_columns, ids_and_verdicts
from facesieve.run.face_tables import FaceTables
from facesieve.run.held_out import HeldOut


@dataclass(frozen=True, slots=True, eq=False)
class ByEmbedding:
    """What embeddings say about N faces. fit: how each fits its label. wrong: (N,) which kept faces do not."""

    vectors: Floats16
    space: Space
    limits: Limits
    fit: LabelFit
    wrong: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """N faces, one for each row of `faces`, and the comparisons of those that are kept.

    ids: (N,) strings. kept, leaked: (N,) boolean. by_embedding: None if the dataset has no embeddings.
    held_distance, held_row: how near each face is to the nearest held-out face, and which one that is.
    shared: the pictures that lie under several labels: id, then label and source of each.
    """

    faces: FaceColumns
    ids: pa.ChunkedArray
    kept: Mask
    least: int
    twins: Duplicates
    by_embedding: ByEmbedding | None
    held_out: HeldOut | None
    held_distance: Floats
    held_row: Indices
    leaked: Mask
    shared: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    def label(self, row: int) -> str:
        """The label of a face, or ""."""
        number = int(self.faces.label[row])
        return self.faces.labels[number] if number >= 0 else ""

    def face_id(self, row: int) -> str:
        """The id of a face."""
        return str(self.ids[int(row)].as_py())


def compare_faces(dataset: Manifests, min_label_faces: int, held_out: HeldOut | None = None) -> Comparisons:
    """Compare the kept faces of a dataset. Raises DatasetError if the tables are damaged."""
    faces = face_columns(FaceTables.of(dataset))
    ids, kept = ids_and_verdicts(dataset)
    twins = find_duplicates(faces.hashes, mirrored_bits(), faces.label, faces.fitness, kept, faces.embedded)
    nothing = (np.full(len(faces), np.nan), np.full(len(faces), -1, np.intp))
    distance, row = held_out.distances(faces) if held_out else nothing
    leaked = kept & (distance < (held_out.limit if held_out else 0))
    compared = _by_embedding(faces, kept, min_label_faces)
    shared = tuple(_shared_pictures(dataset))
    return Comparisons(faces, ids, kept, min_label_faces, twins, compared, held_out, distance, row, leaked, shared)


def _by_embedding(faces: FaceColumns, kept: Mask, least: int) -> ByEmbedding | None:
    if faces.vectors is None or faces.space is None or faces.limits is None:
        return None
    limits = faces.limits
    fit = fit_labels(faces.vectors, faces.label, faces.order, kept, faces.space, least, limits.same_label)
    wrong = (fit.label_distance > limits.other_person) | (fit.label_margin < 0)
    return ByEmbedding(faces.vectors, faces.space, limits, fit, wrong)


def _shared_pictures(dataset: Manifests) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Yield the pictures that lie under several labels, by id."""
    columns = ["picture_id", "label", "source"]
    parts = [rows.filter(pc.is_null(rows["refusal"])).select(columns) for rows in dataset.picture_tables()]
    read = pa.concat_tables([pa.schema([(name, pa.string()) for name in columns]).empty_table(), *parts])
    read = read.filter(pc.not_equal(read["label"], ""))
    counts = read.group_by("picture_id").aggregate([("label", "count_distinct")])
    several = counts.filter(pc.greater(counts["label_count_distinct"], 1))["picture_id"]
    sources = dict[str, list[tuple[str, str]]]()
    for row in read.filter(pc.is_in(read["picture_id"], several.combine_chunks())).to_pylist():
        sources.setdefault(row["picture_id"], []).append((row["label"], row["source"]))
    yield from ((picture, tuple(sorted(found))) for picture, found in sorted(sources.items()))
