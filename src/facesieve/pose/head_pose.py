"""The head pose of every face that is sure enough to be worth it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from facesieve.models.store import Announce, Store, tell
from facesieve.pose.geometric import geometric
from facesieve.pose.hopenet import Hopenet
from facesieve.records import Faces, Floats, Photo
from facesieve.settings import Settings

Estimator = Callable[[Sequence[Photo], Faces], Floats]


class HeadPose:
    """Head pose by the model that `settings.pose` names: `whenet`, `hopenet`, `geometric` or `none`.

    The model is found, or fetched and announced, when this is built; raises what `load_network` raises.
    """

    def __init__(self, settings: Settings, announce: Announce = tell) -> None:
        self._floor = settings.measure_floor
        self._estimate = _estimator(settings, announce)

    def __call__(self, photos: Sequence[Photo], faces: Faces) -> Floats:
        """Pitch, yaw, roll (N, 3) float64 in degrees, with the reference's signs (see `angles`).

        NaN where the confidence is below `settings.measure_floor`, and everywhere when the model is `none`.
        """
        degrees = np.full((len(faces), 3), np.nan)
        sure = faces.confidence >= self._floor
        degrees[sure] = self._estimate(photos, faces.take(sure))
        return degrees


def _estimator(settings: Settings, announce: Announce) -> Estimator:
    match settings.pose:
        case "none":
            return _unmeasured
        case "geometric":
            return geometric
        case name:
            return Hopenet(name, settings, Store(settings, announce))


def _unmeasured(_photos: Sequence[Photo], faces: Faces) -> Floats:
    return np.full((len(faces), 3), np.nan)
