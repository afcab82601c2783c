"""Why a face does not belong to its label: which other label it is nearer to, or why it could not be compared."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.manifests import Manifests
from facesieve.dataset.tables.embeddings import vectors_of
from facesieve.dataset.tables.face_row import FaceRow
from facesieve.models.catalog import entry
from facesieve.records import Floats16
from facesieve.relate import Space, find_centres
from facesieve.relate.nearest import nearest


def label_note(dataset: Manifests, face: FaceRow) -> str:
    """One sentence about a face that failed a rule on `label_distance` or `label_margin`."""
    known = [name for name in ("label_distance", "label_margin") if face.measures.get(name) is not None]
    found = _compared(dataset, face, known[0]) if known else None
    if found is None:
        return _why_not_compared(dataset, face)
    own, other, away = found
    if not other:
        return f"It is {own:.2f} from the other faces of {face.label!r}; no other label could be compared."
    if away < own:
        return f"It is {own - away:.2f} nearer to {other!r} than to {face.label!r} ({away:.2f} against {own:.2f})."
    return f"It is {own:.2f} from the other faces of {face.label!r}, and {away:.2f} from those of {other!r}."


def _compared(dataset: Manifests, face: FaceRow, column: str) -> tuple[float, str, float] | None:
    """How far a face is from its own label, which other label is nearest, and how far that one is; "" for none.

    column: a relation that was computed among the faces that are compared. None if the embeddings have been removed.
    """
    model = dataset.about.origin.identity
    meaning = entry(model.model).embedding if model else None
    if meaning is None:
        return None
    rows = pa.concat_tables(dataset.face_tables(["face_id", "label", column]))
    vectors = np.concatenate([_vectors(block) for block in dataset.embedding_tables()])
    label = rows["label"].combine_chunks().dictionary_encode()
    numbers, among = np.asarray(label.indices).astype(np.intp), np.asarray(pc.is_valid(rows[column]))
    order = np.asarray(pc.rank(rows["face_id"], tiebreaker="dense")).astype(np.int64)
    space = Space(meaning.distance == "cosine", meaning.limits.reach)
    centres = find_centres(vectors, numbers, order, among, space, 2)
    mine = pc.and_(pc.equal(rows["face_id"], face.face_id), pc.equal(rows["label"], face.label))
    here = np.flatnonzero(np.asarray(mine))
    own = centres.row_of(numbers[here])
    apart = space.apart(np.repeat(centres.points[own], len(centres.points), axis=0), centres.points)
    others = np.flatnonzero(apart > meaning.limits.same_label)
    [found], [away] = nearest(vectors[here], centres.points[others], space)
    name = str(label.dictionary[int(centres.labels[others[found]])].as_py()) if found >= 0 else ""
    return float(centres.distance[here[0]]), name, float(away)


def _vectors(rows: pa.Table) -> Floats16:
    return vectors_of(rows).astype(np.float16)


def _why_not_compared(dataset: Manifests, face: FaceRow) -> str:
    if not face.label:
        return "It has no label to compare it with."
    if dataset.about.origin.identity is None:
        return "The dataset has no embeddings to compare faces with."
    of_label = with_embedding = 0
    for faces, embeddings in zip(dataset.face_tables(["face_id", "label"]), dataset.embedding_tables(), strict=True):
        mine = pc.equal(faces["label"], face.label)
        missing = embeddings.filter(pc.equal(embeddings["face_id"], face.face_id))["no_embedding"].drop_null()
        if len(missing):
            return f"It has no embedding ({missing[0].as_py()})."
        of_label += pc.sum(mine).as_py() or 0
        with_embedding += pc.sum(pc.and_(mine, pc.is_valid(embeddings["embedding"]))).as_py() or 0
    return (
        f"It could not be compared: {with_embedding} of {of_label} faces of {face.label!r} have an embedding, and those"
        " that passed the earlier rules are too few, or no two of them are alike."
    )
