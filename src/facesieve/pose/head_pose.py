"""The head pose of every face whose confidence is high enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from facesieve.models.store import Store
from facesieve.pose.geometric import geometric
from facesieve.pose.hopenet import Hopenet
from facesieve.records import Faces, Floats, Photo
from facesieve.settings import Settings

Estimator = Callable[[Sequence[Photo], Faces], Floats]


class HeadPose:
    """Estimates head pose by the method that `settings.pose` names: `whenet`, `sievepose`, `hopenet`, `geometric`
    or `none`.

    store: the model is loaded from it at once, if the method needs one. Raises what `load_network` raises.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._floor = settings.measure_floor
        self._estimate = _estimator(settings, store)

    def __call__(self, photos: Sequence[Photo], faces: Faces) -> Floats:
        """Pitch, yaw, roll (N, 3) float64 in degrees of N faces, with the reference's signs (see `angles`).

        NaN where the confidence is below `settings.measure_floor`, and everywhere when the model is `none`.
        """
        degrees = np.full((len(faces), 3), np.nan)
        measured = faces.confidence >= self._floor
        degrees[measured] = self._estimate(photos, faces.take(measured))
        return degrees


def _estimator(settings: Settings, store: Store) -> Estimator:
    match settings.pose:
        case "none":
            return _not_measured
        case "geometric":
            return geometric
        case name:
            return Hopenet(name, settings, store)


def _not_measured(_photos: Sequence[Photo], faces: Faces) -> Floats:
    return np.full((len(faces), 3), np.nan)
