"""Another dataset that the faces of a dataset are compared with: a test set, whose people must not be trained on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from facesieve.dataset.manifests import Manifests, open_manifests
from facesieve.dataset.origin import IdentityModel
from facesieve.errors import DatasetError, UsageError
from facesieve.quality import mirrored_bits
from facesieve.records import Floats, Floats16, Indices, Integers, Pixels
from facesieve.relate import OwnLabels, held_out_by_embedding, held_out_by_hash
from facesieve.run.face_columns import FaceColumns, face_columns, ids_and_verdicts
from facesieve.run.face_tables import FaceTables
from facesieve.sieve import Policy, Rule

BY_HASH = 0.2  # least distance that passes: the hashes of copies differ in at most .16 of their bits


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """The M kept faces of another dataset.

    root: its folder. ids: of its faces. hashes: (M, 32). vectors: (M, 128); None if hashes are compared. labels: (M,) a
    number for each label, -1 for none. order: (M,) numbers that order faces by their ids. least: as `min_label_faces`.
    limit: the least distance that is no leak. note: why hashes are compared, or "".
    """

    root: Path
    ids: tuple[str, ...]
    hashes: Pixels
    vectors: Floats16 | None
    labels: Indices
    order: Integers
    least: int
    limit: float
    note: str

    def distances(self, faces: FaceColumns) -> tuple[Floats, Indices]:
        """(N,) how near each face or its label is to the nearest held-out one, and (N,) its row, -1 for none."""
        if self.vectors is None or faces.vectors is None or faces.space is None or faces.limits is None:
            return held_out_by_hash(faces.hashes, self.hashes, mirrored_bits())
        own = OwnLabels(faces.label, faces.order, faces.limits.other_person)
        held = (self.vectors, self.labels, self.order)
        return held_out_by_embedding(faces.vectors, *held, faces.space, self.least, own)


def open_held_out(path: str | os.PathLike[str], dataset: Manifests, min_label_faces: int) -> HeldOut:
    """Read the kept faces of the dataset that was held out. Raises DatasetError if it is none or is damaged.

    dataset: that is compared with it; embeddings are compared if both have those of the same model.
    """
    root = Path(path)
    if root.resolve() == dataset.layout.root.resolve():
        raise UsageError("same_dataset", f"{root} is the dataset itself. Name the one that was held out.")
    held = open_manifests(root)
    ours, theirs = dataset.about.origin.identity, held.about.origin.identity
    same = ours is not None and ours == theirs
    faces, (ids, verdicts) = face_columns(FaceTables.of(held)), ids_and_verdicts(held)
    kept = np.flatnonzero(verdicts)
    if not len(kept):
        raise DatasetError("no_faces", f"{root} has no kept faces to compare with.")
    return HeldOut(
        root=root,
        ids=tuple(ids.take(pa.array(kept)).to_pylist()),
        hashes=faces.hashes[kept],
        vectors=faces.vectors[kept] if same and faces.vectors is not None else None,
        labels=faces.label[kept],
        order=faces.order[kept],
        least=min_label_faces,
        limit=faces.limits.held_out if same and faces.limits else BY_HASH,
        note="" if same else _why_by_hash(root, dataset, ours, theirs),
    )


def without_leaks(policy: Policy, limit: float) -> Policy:
    """The policy, with a rule that rejects faces that are nearer to a held-out face, unless it has one already."""
    if any(rule.measure == "held_out_distance" for rule in policy.rules):
        return policy
    rule = Rule(measure="held_out_distance", low=limit, optional=True)
    return Policy(name=f"{policy.name}, adjusted", rules=(*policy.rules, rule))


def _why_by_hash(root: Path, dataset: Manifests, ours: IdentityModel | None, theirs: IdentityModel | None) -> str:
    lacking = dataset.layout.root if ours is None else root
    why = f"{root} has embeddings of another model" if ours and theirs else f"{lacking} has no embeddings"
    return (
        f"{why}, so faces were compared with {root} by the hashes of their crops. That finds copies, but not"
        " other pictures of the same people."
    )
