"""Recognises faces that are upside down although the detector took them for upright.

MTCNN finds some faces that are upside down, and then places the eyes where the mouth is. Its own networks can recognise
them: they see several frames of the aligned crop, once as it is and once rotated by 180 degrees, and the higher mean
log-odds wins. One frame alone is too noisy. Where the crop does not decide, the whole cascade sees the face and its
surroundings, rotated by 180 degrees. `bench/turned.py` prints how often the answer is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from facesieve.detect.mtcnn import Mtcnn
from facesieve.detect.networks import ONET_SIDE, RNET_SIDE
from facesieve.records import Faces, Floats, Floats32, Mask, Photo, Pixels, Source

Frames = tuple[tuple[int, int, int], ...]
Score = Callable[[Floats32], Floats]

# Parts of a 112 x 112 crop: x, y and side in pixels. A rotation by 180 degrees maps each set onto itself.
TWO_CORNERS: Frames = ((0, 0, 88), (24, 24, 88))
CORNERS_AND_MIDDLE: Frames = ((0, 0, 96), (16, 0, 96), (0, 16, 96), (16, 16, 96), (8, 8, 96))

# No upside-down face of the benchmark has a higher confidence.
SURE = 0.9999
# Frames and limit of each round of R-Net, which costs an eighth of O-Net and therefore sees the crops first. A face
# stays suspect if its mean log-odds change by more than the limit when the crop is rotated; below 0 they fall. Of a
# hundred upright faces of the benchmark, two stay suspect.
RNET_ROUNDS = ((TWO_CORNERS, -2.0), (CORNERS_AND_MIDDLE, -1.5))
# If O-Net's log-odds fall by more than this, the face counts as upright, and the cascade does not run.
UNDECIDED_ABOVE = -2.5

SURROUNDINGS = 2.5  # side of the square around a face that the cascade sees, in longer sides of the face's box
SQUARE = 96  # pixels of that square; the face has about 38
HALF = 2  # quarter turns
LOWEST, HIGHEST = 3.35e-4, 1 - 1e-7  # probabilities are clipped, so that log-odds lie between -8 and 16


class UpsideDownCheck:
    """Checks faces with the networks of the detector that found them."""

    def __init__(self, detect: Mtcnn) -> None:
        self._detect, self._networks = detect, detect.networks

    def __call__(self, photos: Sequence[Photo], faces: Faces, crops: Pixels) -> Mask:
        """(N,) boolean: whether each face is upside down.

        crops: (N, 112, 112, 3) uint8 RGB, the N faces aligned to the template.
        """
        suspects = np.flatnonzero(faces.confidence < SURE)
        for frames, above in RNET_ROUNDS:
            suspects = suspects[self._gain(self._refine, crops[suspects], frames, RNET_SIDE) > above]
        gain = self._gain(self._locate, crops[suspects], CORNERS_AND_MIDDLE, ONET_SIDE)
        flipped, undecided = gain > 0, (gain > UNDECIDED_ABOVE) & (gain <= 0)
        flipped[undecided] = self._found_better_rotated(photos, faces.take(suspects[undecided]))
        answer = np.zeros(len(faces), bool)
        answer[suspects] = flipped
        return answer

    def upright(self, crops: Pixels) -> Mask:
        """(N,) boolean: whether each crop looks more like a face as it is than in the three other rotations.

        crops: (N, 112, 112, 3) uint8 RGB.
        """
        views = self._views(crops, CORNERS_AND_MIDDLE, ONET_SIDE)
        as_is, *rotated = (_odds(self._locate, views, quarters) for quarters in range(4))
        upright: Mask = as_is >= np.maximum.reduce(rotated)
        return upright

    def _gain(self, score: Score, crops: Pixels, frames: Frames, size: int) -> Floats:
        """(N,) how much the mean log-odds of a face rise when the crop is rotated by 180 degrees."""
        views = self._views(crops, frames, size)
        return _odds(score, views, HALF) - _odds(score, views, 0)

    def _views(self, crops: Pixels, frames: Frames, size: int) -> Floats32:
        """(N, frames, size, size, 3) float32: the part of each crop that each frame shows."""
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

    def _found_better_rotated(self, photos: Sequence[Photo], faces: Faces) -> Mask:
        """(N,) whether the cascade is more confident of a face after the face and its surroundings are rotated."""
        each = zip(faces.photo, faces.boxes, strict=True)
        found = self._detect([self._upside_down(photos[photo], box) for photo, box in each])
        sides = found.boxes[:, 2:].max(axis=1, initial=0) / SQUARE
        middle = (found.boxes[:, :2] + found.boxes[:, 2:] / 2) / SQUARE
        same = (np.abs(middle - 0.5) < 0.2).all(axis=1) & (sides > 0.2) & (sides < 0.7)
        best = np.zeros(len(faces))
        np.maximum.at(best, found.photo[same], found.confidence[same])
        better: Mask = best > faces.confidence
        return better

    def _upside_down(self, photo: Photo, box: Floats) -> Photo:
        """The square around a box, rotated by 180 degrees; black outside the picture."""
        x, y, w, h = box
        half = max(w, h) * SURROUNDINGS / 2
        low = np.rint([x + w / 2 - half, y + h / 2 - half])
        corners = np.concatenate([low + 1, low + np.rint(2 * half)]).astype(np.int32)
        [square] = self._networks.crop(photo.pixels, corners[np.newaxis], SQUARE)
        pixels = np.ascontiguousarray(np.rint(square).astype(np.uint8)[::-1, ::-1])
        return Photo(Source(""), "", pixels, "array")


def _odds(score: Score, views: Floats32, quarters: int) -> Floats:
    """(N,) mean log-odds of a face over the frames of (N, frames, S, S, 3) views, rotated by quarter turns."""
    rotated = np.ascontiguousarray(np.rot90(views, quarters, axes=(2, 3)))
    probability = score(rotated.reshape(-1, *views.shape[2:])).clip(LOWEST, HIGHEST)
    odds: Floats = np.log(probability / (1 - probability)).reshape(views.shape[:2]).mean(axis=1)
    return odds
