"""Near-duplicates must not be divided between splits: a model would be tested on pictures that it has seen."""

from __future__ import annotations

import numpy as np

from facesieve.dataset.manifests import Manifests
from facesieve.quality import mirrored_bits
from facesieve.records import Integers
from facesieve.relate import find_duplicates
from facesieve.run.face_columns import face_columns
from facesieve.run.face_tables import FaceTables


def near_duplicates(dataset: Manifests) -> Integers:
    """(N,) the row of the fittest near-duplicate of each face, so equal in a group; -1 for a face without any.

    Crops are compared as for the rules on near-duplicates (docs/measures.md), with embeddings if there are any.
    """
    faces = face_columns(FaceTables.of(dataset))
    every = np.ones(len(faces), bool)
    found = find_duplicates(faces.hashes, mirrored_bits(), faces.label, faces.fitness, every, faces.embedded)
    first = np.where(found.rank_among_duplicates == 1, np.arange(len(faces)), found.twin)
    return np.where(found.twin < 0, -1, first).astype(np.int64)
