"""Finds faces in pictures that are rotated but have no EXIF orientation: all four rotations are searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from facesieve.records import Faces, Mask, Photo

OTHER_ROTATIONS = (90, 180, 270)  # degrees clockwise
CONFIDENT = 0.99  # a picture is not searched again when an upright face in it has this confidence
ENOUGH_TO_ROTATE = 0.995  # a picture is rotated only for a face with this confidence, so that mistakes are rare


class RotationSearch:
    """Finds faces; a picture without a confident upright face is searched in its three other rotations too.

    find: the detector. upright: whether each of N faces is upright, (N,) boolean.
    """

    def __init__(
        self,
        find: Callable[[Sequence[Photo]], Faces],
        upright: Callable[[Sequence[Photo], Faces], Mask],
    ) -> None:
        self._find, self._upright = find, upright

    def __call__(self, photos: Sequence[Photo]) -> tuple[list[Photo], Faces]:
        """The photos, some of them rotated, and all their faces; boxes and landmarks refer to the rotated photo.

        A photo gets the rotation with the most confident upright face. It stays as it is if no upright face in another
        rotation has a confidence of at least `ENOUGH_TO_ROTATE`.
        """
        faces = self._find(photos)
        found = [(photo, faces.take(faces.photo == index)) for index, photo in enumerate(photos)]
        best = [self._best_rotation(photo, own) for photo, own in found]
        parts = [replace(own, photo=np.full(len(own), index, np.intp)) for index, (_, own) in enumerate(best)]
        return [photo for photo, _ in best], Faces.join(parts)

    def _best_rotation(self, photo: Photo, faces: Faces) -> tuple[Photo, Faces]:
        """A photo in its best rotation, with its faces there. faces: those in the photo as it is."""
        alone = replace(faces, photo=np.zeros(len(faces), np.intp))
        best, highest = (photo, alone), self._confidence(photo, alone)
        if highest >= CONFIDENT:
            return best
        for degrees in OTHER_ROTATIONS:
            rotated = photo.turned(degrees)
            found = self._find([rotated])
            confidence = self._confidence(rotated, found)
            if confidence >= ENOUGH_TO_ROTATE and confidence > highest:
                best, highest = (rotated, found), confidence
        return best

    def _confidence(self, photo: Photo, faces: Faces) -> float:
        """The highest confidence of an upright face; 0 if none is at least `CONFIDENT`."""
        confident = faces.take(faces.confidence >= CONFIDENT)
        upright = confident.confidence[self._upright([photo], confident)]
        return float(upright.max(initial=0))
