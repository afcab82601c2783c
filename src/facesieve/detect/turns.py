"""Pictures that lie on their side or head without saying so: searched in all four turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from facesieve.records import Faces, Mask, Photo

QUARTERS = (90, 180, 270)
CONFIDENT = 0.99  # a picture with an upright face this sure is not searched again
WORTH_A_TURN = 0.995  # a picture is turned only for a surer one: an upright one is rarely turned by mistake then


class Turns:
    """Finds faces; a picture without a confident upright face is searched in its three other turns too.

    find: the detector. upright: whether each face is upright, (N,) boolean.
    """

    def __init__(
        self,
        find: Callable[[Sequence[Photo]], Faces],
        upright: Callable[[Sequence[Photo], Faces], Mask],
    ) -> None:
        self._find, self._upright = find, upright

    def __call__(self, photos: Sequence[Photo]) -> tuple[list[Photo], Faces]:
        """The photos, some of them turned, and the faces of all; boxes and landmarks are those of the turned photo.

        A photo is turned to where its most confident upright face is found; it stays as it is where no turn has one
        that is worth it.
        """
        faces = self._find(photos)
        found = [(photo, faces.take(faces.photo == index)) for index, photo in enumerate(photos)]
        best = [self._best(photo, own) for photo, own in found]
        parts = [replace(own, photo=np.full(len(own), index, np.intp)) for index, (_, own) in enumerate(best)]
        return [photo for photo, _ in best], Faces.join(parts)

    def _best(self, photo: Photo, faces: Faces) -> tuple[Photo, Faces]:
        alone = replace(faces, photo=np.zeros(len(faces), np.intp))
        best, most = (photo, alone), self._confidence(photo, alone)
        if most >= CONFIDENT:
            return best
        for degrees in QUARTERS:
            turned = photo.turned(degrees)
            found = self._find([turned])
            confidence = self._confidence(turned, found)
            if confidence >= WORTH_A_TURN and confidence > most:
                best, most = (turned, found), confidence
        return best

    def _confidence(self, photo: Photo, faces: Faces) -> float:
        """Of the surest upright face; 0 where there is none."""
        sure = faces.take(faces.confidence >= CONFIDENT)
        upright = sure.confidence[self._upright([photo], sure)]
        return float(upright.max(initial=0))
