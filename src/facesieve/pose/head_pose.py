"""The head pose of every face whose confidence is high enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facesieve.models.store import Store
from facesieve.pose.geometric import geometric
from facesieve.pose.hopenet import Hopenet
from facesieve.records import Faces, Photo, Poses
from facesieve.settings import Settings

Estimator = Callable[[Sequence[Photo], Faces], Poses]


class HeadPose:
    """Estimates head pose by the method that `settings.pose` names: `sievepose`, `whenet`, `hopenet`, `geometric`
    or `none`.

    store: the model is loaded from it at once, if the method needs one. Raises what `load_network` raises.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._floor = settings.measure_floor
        self._estimate = _estimator(settings, store)

    def __call__(self, photos: Sequence[Photo], faces: Faces) -> Poses:
        """The poses of N faces.

        NaN where the confidence is below `settings.measure_floor`, and everywhere when the model is `none`.
        """
        poses = Poses.unmeasured(len(faces))
        measured = faces.confidence >= self._floor
        for column, found in zip(poses, self._estimate(photos, faces.take(measured)), strict=True):
            column[measured] = found
        return poses


def _estimator(settings: Settings, store: Store) -> Estimator:
    match settings.pose:
        case "none":
            return _not_measured
        case "geometric":
            return _from_landmarks
        case name:
            return Hopenet(name, settings, store)


def _not_measured(_photos: Sequence[Photo], faces: Faces) -> Poses:
    return Poses.unmeasured(len(faces))


def _from_landmarks(photos: Sequence[Photo], faces: Faces) -> Poses:
    return Poses.unmeasured(len(faces))._replace(degrees=geometric(photos, faces))
