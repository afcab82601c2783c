"""The other face that a reason is about, so that people see the pair.

It is the fitter near-duplicate, the main face of the picture, or the face that is most like all others of the label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.manifests import hashes_of_rows
from facesieve.dataset.tables.schema import CROP_HASH
from facesieve.quality import mirrored_bits
from facesieve.relate import distances
from facesieve.sieve import Reason

ReadFaces = Callable[[Sequence[str]], Iterator[pa.Table]]  # the rows of `faces` with some columns, in groups
FaceKey = tuple[str, str]  # id and label


@dataclass(frozen=True, slots=True)
class OtherFace:
    """A face that another one was compared with. words: what it is, such as `fitter near-duplicate`."""

    face_id: str
    label: str
    source: str
    words: str


def other_faces(faces: pa.Table, read: ReadFaces) -> dict[FaceKey, OtherFace]:
    """The other face for each of some rejected faces, by their ids and labels; not every face has one.

    faces: rows of `faces` with all columns.
    """
    return _main_faces(faces, read) | _typical_faces(faces, read) | _fitter_twins(faces, read)


def _main_faces(faces: pa.Table, read: ReadFaces) -> dict[FaceKey, OtherFace]:
    wanted, found = _rejected_for(faces, Reason.NOT_THE_MAIN_FACE), dict[str, OtherFace]()
    if not len(wanted) or "rank_in_picture" not in faces.column_names:
        return {}
    for rows in read(["face_id", "label", "source", "rank_in_picture"]):
        main = pc.and_(pc.equal(rows["rank_in_picture"], 1), pc.is_in(rows["source"], pc.unique(wanted["source"])))
        for row in rows.filter(main).to_pylist():
            found[row["source"]] = _other(row, "main face of the picture")
    keys = zip(_keys(wanted), wanted["source"].to_pylist(), strict=True)
    return {key: found[source] for key, source in keys if source in found}


def _typical_faces(faces: pa.Table, read: ReadFaces) -> dict[FaceKey, OtherFace]:
    """For faces of other people, the kept face that is nearest to the centre of the label."""
    wanted, found = _rejected_for(faces, Reason.OTHER_PERSON), dict[str, tuple[float, OtherFace]]()
    if not len(wanted) or "label_distance" not in faces.column_names:
        return {}
    labels = pc.unique(wanted["label"])
    for rows in read(["face_id", "label", "source", "label_distance", "kept"]):
        rows = rows.filter(pc.and_(rows["kept"], pc.is_in(rows["label"], labels)))
        for row in rows.filter(pc.is_valid(rows["label_distance"])).to_pylist():
            if row["label_distance"] < found.get(row["label"], (np.inf, None))[0]:
                found[row["label"]] = row["label_distance"], _other(row, "typical face of the label")
    return {key: found[key[1]][1] for key in _keys(wanted) if key[1] in found}


def _fitter_twins(faces: pa.Table, read: ReadFaces) -> dict[FaceKey, OtherFace]:
    wanted, found = _rejected_for(faces, Reason.NEAR_DUPLICATE), dict[FaceKey, OtherFace]()
    if not len(wanted) or "twin_distance" not in faces.column_names:
        return {}
    known = zip(_keys(wanted), hashes_of_rows(wanted), wanted["twin_distance"].to_pylist(), strict=True)
    left = [(key, hashed, distance) for key, hashed, distance in known if distance is not None]
    for rows in read(["face_id", "label", "source", "rank_among_duplicates", CROP_HASH]) if left else ():
        first = rows.filter(pc.equal(rows["rank_among_duplicates"], 1))
        hashes, keys = hashes_of_rows(first), _keys(first)
        for key, hashed, distance in left:
            near = np.flatnonzero(distances(hashed, hashes, mirrored_bits()) == distance).tolist()
            if at := [at for at in near if keys[at] != key]:
                found[key] = _other(first.slice(at[0], 1).to_pylist()[0], "fitter near-duplicate")
        left = [one for one in left if one[0] not in found]
    return found


def _rejected_for(faces: pa.Table, reason: Reason) -> pa.Table:
    has = [reason.value in reasons for reasons in faces["reasons"].to_pylist()]
    return faces.filter(pa.array(has, pa.bool_()))


def _keys(faces: pa.Table) -> list[FaceKey]:
    return list(zip(faces["face_id"].to_pylist(), faces["label"].to_pylist(), strict=True))


def _other(row: dict[str, str], words: str) -> OtherFace:
    return OtherFace(row["face_id"], row["label"], row["source"], words)
