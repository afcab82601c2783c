"""Another dataset that the faces of a dataset are compared with: a test set, whose people must not be trained on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facesieve.dataset.manifests import Manifests, hashes_of_rows, open_manifests
from facesieve.dataset.origin import IdentityModel
from facesieve.dataset.tables.embeddings import vectors_of
from facesieve.errors import DatasetError, UsageError
from facesieve.quality import mirrored_bits
from facesieve.records import EMBEDDING_SIZE, Floats, Floats16, Indices, Pixels
from facesieve.relate import held_out_by_embedding, held_out_by_hash
from facesieve.run.face_columns import FaceColumns, space_of
from facesieve.sieve import Policy, Rule

BY_HASH = 0.2  # least distance that passes: the hashes of copies differ in at most .16 of their bits


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """The M kept faces of another dataset.

    root: its folder. ids: of its faces. hashes: (M, 32). vectors: (M, 128); None if hashes are compared. limit: the
    least distance that is no leak. note: why hashes are compared instead of embeddings, or "".
    """

    root: Path
    ids: tuple[str, ...]
    hashes: Pixels
    vectors: Floats16 | None
    limit: float
    note: str

    def distances(self, faces: FaceColumns) -> tuple[Floats, Indices]:
        """(N,) how near each face is to the nearest held-out one, and (N,) the row of that one, -1 for none."""
        if self.vectors is None or faces.vectors is None or faces.space is None:
            return held_out_by_hash(faces.hashes, self.hashes, mirrored_bits())
        return held_out_by_embedding(faces.vectors, self.vectors, faces.space)


def open_held_out(path: str | os.PathLike[str], dataset: Manifests) -> HeldOut:
    """Read the kept faces of the dataset that was held out. Raises DatasetError if it is none or is damaged.

    dataset: that is compared with it; embeddings are read if both have those of the same model.
    """
    root = Path(path)
    if root.resolve() == dataset.layout.root.resolve():
        raise UsageError("same_dataset", f"{root} is the dataset itself. Name the one that was held out.")
    held = open_manifests(root)
    ours, theirs = dataset.about.origin.identity, held.about.origin.identity
    ids, hashes, vectors = list[str](), [np.zeros((0, 32), np.uint8)], [np.zeros((0, EMBEDDING_SIZE), np.float16)]
    for block in held.blocks(ours is not None and ours == theirs):
        kept = block.faces["kept"]
        faces = block.faces.filter(kept)
        ids += faces["face_id"].to_pylist()
        hashes.append(hashes_of_rows(faces))
        if block.embeddings is not None:
            vectors.append(vectors_of(block.embeddings.filter(kept)).astype(np.float16))
    if not ids:
        raise DatasetError("no_faces", f"{root} has no kept faces to compare with.")
    if ours is not None and ours == theirs:
        limit = space_of(ours.model)[1].held_out
        return HeldOut(root, tuple(ids), np.concatenate(hashes), np.concatenate(vectors), limit, "")
    return HeldOut(root, tuple(ids), np.concatenate(hashes), None, BY_HASH, _why_by_hash(root, dataset, ours, theirs))


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
