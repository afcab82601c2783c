"""Which faces the detector took for upright although they stand on their heads.

MTCNN answers on some upside-down faces and puts the eyes where the mouth is. Its own networks can tell: they are asked
about the aligned crop as it is and about the crop turned, in several frames each, and the higher mean log-odds wins.
One frame alone is too noisy. Where the crop does not settle it, the whole cascade looks at the face and what is around
it, turned. `bench/turned.py` prints how often the answer is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from facesieve.detect.mtcnn import Mtcnn
from facesieve.detect.networks import ONET_SIDE, RNET_SIDE
from facesieve.records import Faces, Floats, Floats32, Mask, Photo, Pixels, Source

Frames = tuple[tuple[int, int, int], ...]
Score = Callable[[Floats32], Floats]

# Parts of a 112 x 112 crop: x, y and side in pixels. A half turn maps each set onto itself.
TWO_CORNERS: Frames = ((0, 0, 88), (24, 24, 88))
CORNERS_AND_MIDDLE: Frames = ((0, 0, 96), (16, 0, 96), (0, 16, 96), (16, 16, 96), (8, 8, 96))

# No upside-down face of the benchmark has a higher confidence.
SURE = 0.9999
# R-Net costs an eighth of O-Net, so it sees the crops first. A face stays suspect while the mean log-odds of the turned
# crop are not lower by more than this: on the benchmark, two upright faces of a hundred stay.
SUSPECT = ((TWO_CORNERS, -2.0), (CORNERS_AND_MIDDLE, -1.5))
# Below this, O-Net is too sure that the face is upright for the cascade to be asked.
OPEN_ABOVE = -2.5

SURROUNDINGS = 2.5  # side of the square around a face that the cascade sees, in longer sides of its box
SQUARE = 96  # pixels of that square: the face has about 38
HALF = 2  # quarter turns
LOWEST, HIGHEST = 3.35e-4, 1 - 1e-7  # probabilities are clipped to log-odds from -8 to 16


class UpsideDown:
    """Looks again at faces, with the detector that found them."""

    def __init__(self, detect: Mtcnn) -> None:
        self._detect, self._networks = detect, detect.networks

    def __call__(self, photos: Sequence[Photo], faces: Faces, crops: Pixels) -> Mask:
        """(N,) whether each face is upside down.

        crops: (N, 112, 112, 3) uint8 RGB, the faces aligned to the template.
        """
        suspects = np.flatnonzero(faces.confidence < SURE)
        for frames, above in SUSPECT:
            suspects = suspects[self._gain(self._refine, crops[suspects], frames, RNET_SIDE) > above]
        gain = self._gain(self._locate, crops[suspects], CORNERS_AND_MIDDLE, ONET_SIDE)
        settled, unsettled = gain > 0, (gain > OPEN_ABOVE) & (gain <= 0)
        settled[unsettled] = self._surer_when_turned(photos, faces.take(suspects[unsettled]))
        answer = np.zeros(len(faces), bool)
        answer[suspects] = settled
        return answer

    def upright(self, crops: Pixels) -> Mask:
        """(N,) whether each crop looks more like a face as it is than in any of the three other turns."""
        views = self._views(crops, CORNERS_AND_MIDDLE, ONET_SIDE)
        as_is, *turned = (_odds(self._locate, views, quarters) for quarters in range(4))
        upright: Mask = as_is >= np.maximum.reduce(turned)
        return upright

    def _gain(self, score: Score, crops: Pixels, frames: Frames, size: int) -> Floats:
        """(N,) by how much the mean log-odds of a face rise when the crop is turned by 180 degrees."""
        views = self._views(crops, frames, size)
        return _odds(score, views, HALF) - _odds(score, views, 0)

    def _views(self, crops: Pixels, frames: Frames, size: int) -> Floats32:
        """(N, frames, size, size, 3): what each frame shows of each crop."""
        count, side = crops.shape[:2]
        if count == 0:
            return np.empty((0, len(frames), size, size, 3), np.float32)
        left, top, width = np.array(frames).T
        lowered = top + side * np.arange(count)[:, np.newaxis]  # the crops lie one below the other in one picture
        x = np.broadcast_to(left, lowered.shape)
        boxes = np.stack([x + 1, lowered + 1, x + width, lowered + width], axis=-1).reshape(-1, 4)
        views = self._networks.crop(crops.reshape(count * side, side, 3), boxes.astype(np.int32), size)
        return views.reshape(count, len(frames), size, size, 3)

    def _refine(self, views: Floats32) -> Floats:
        return self._networks.refine(views)[0]

    def _locate(self, views: Floats32) -> Floats:
        return self._networks.locate(views)[0]

    def _surer_when_turned(self, photos: Sequence[Photo], faces: Faces) -> Mask:
        """(N,) whether the cascade finds the face with more confidence when its surroundings are turned."""
        each = zip(faces.photo, faces.boxes, strict=True)
        found = self._detect([self._turned(photos[photo], box) for photo, box in each])
        sides = found.boxes[:, 2:].max(axis=1, initial=0) / SQUARE
        middle = (found.boxes[:, :2] + found.boxes[:, 2:] / 2) / SQUARE
        same = (np.abs(middle - 0.5) < 0.2).all(axis=1) & (sides > 0.2) & (sides < 0.7)
        best = np.zeros(len(faces))
        np.maximum.at(best, found.photo[same], found.confidence[same])
        surer: Mask = best > faces.confidence
        return surer

    def _turned(self, photo: Photo, box: Floats) -> Photo:
        """The square around a box, upside down; black beyond the picture."""
        x, y, w, h = box
        half = max(w, h) * SURROUNDINGS / 2
        low = np.rint([x + w / 2 - half, y + h / 2 - half])
        corners = np.concatenate([low + 1, low + np.rint(2 * half)]).astype(np.int32)
        [square] = self._networks.crop(photo.pixels, corners[np.newaxis], SQUARE)
        pixels = np.ascontiguousarray(np.rint(square).astype(np.uint8)[::-1, ::-1])
        return Photo(Source(""), "", pixels, "array")


def _odds(score: Score, views: Floats32, quarters: int) -> Floats:
    """(N,) mean log-odds of a face over the frames of (N, frames, S, S, 3) views, turned by quarter turns."""
    turned = np.ascontiguousarray(np.rot90(views, quarters, axes=(2, 3)))
    probability = score(turned.reshape(-1, *views.shape[2:])).clip(LOWEST, HIGHEST)
    odds: Floats = np.log(probability / (1 - probability)).reshape(views.shape[:2]).mean(axis=1)
    return odds
