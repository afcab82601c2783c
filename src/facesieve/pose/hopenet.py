"""The networks of the Hopenet family, which map a square crop to three angles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesieve.models.catalog import entry
from facesieve.models.store import Store
from facesieve.pose.angles import to_reference
from facesieve.pose.crops import crop
from facesieve.pose.network import load_network
from facesieve.records import Faces, Photo, Poses
from facesieve.settings import Settings

SIDE = 224  # pixels of a crop where the catalog has no side
# Crops of SIDE at once, or as many pixels of smaller ones. On a CPU, more do not fit into the cache; 32 take 300 MB.
BATCH = {"cpu": 2, "cuda": 64}


class Hopenet:
    """Estimates head pose with a network of the family.

    name: of the model in the catalog: `sievepose`, `whenet` or `hopenet`. margin: of the crop on each side of the box,
    as a share of the box's longer side; None takes the catalog's.
    Raises what `load_network` raises.
    """

    def __init__(self, name: str, settings: Settings, store: Store, margin: float | None = None) -> None:
        preprocessing = entry(name).preprocessing
        self._side = preprocessing.side or SIDE
        self._margin = (preprocessing.margin or 0.0) if margin is None else margin
        self._network = load_network(name, settings, store)
        self._batch = BATCH[settings.device] * (SIDE // self._side) ** 2

    def __call__(self, photos: Sequence[Photo], faces: Faces) -> Poses:
        """The poses of N faces. Only Sievepose tells their spread."""
        batches = (faces.take(slice(start, start + self._batch)) for start in range(0, len(faces), self._batch))
        parts = [Poses.unmeasured(0), *(self._poses(photos, batch) for batch in batches)]
        degrees, spread = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Poses(degrees, spread)

    def _poses(self, photos: Sequence[Photo], faces: Faces) -> Poses:
        degrees, *spread = self._network(crop(photos, faces, self._margin, self._side))
        widest = spread[0].max(axis=1).astype(np.float64) if spread else np.full(len(faces), np.nan)
        return Poses(to_reference(degrees), widest)
