"""MTCNN: a cascade of three networks. Each sees only the candidates that the network before it accepted.

Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks"
(2016, https://arxiv.org/abs/1604.02878). Scales, crops, rounding and suppression follow the Python package mtcnn 0.1.1,
so that its published numbers can be reproduced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facesieve.detect.boxes import from_cells, regress, squared
from facesieve.detect.networks import ONET_SIDE, RNET_SIDE, Cells, Networks
from facesieve.detect.pyramid import scales
from facesieve.detect.ties import best_first
from facesieve.records import Faces, Floats, Floats32, Indices, Photo, Pixels


@dataclass(frozen=True, slots=True)
class Candidates:
    """n boxes in a batch of photos, with the outputs of the last network for them.

    photo: (n,) index of the photo, ascending. boxes: (n, 4) x1, y1, x2, y2 in pixels. score: (n,) probability of a
    face. offsets: (n, 4) how far each corner should move, as shares of the box's sides.
    """

    photo: Indices
    boxes: Floats
    score: Floats
    offsets: Floats

    def take(self, chosen: Indices) -> Candidates:
        """The candidates with these indices, in this order."""
        return Candidates(self.photo[chosen], self.boxes[chosen], self.score[chosen], self.offsets[chosen])

    @classmethod
    def join(cls, parts: Iterable[Candidates]) -> Candidates:
        """The candidates of all parts, one part after the other."""
        none = cls(np.empty(0, np.intp), np.empty((0, 4)), np.empty(0), np.empty((0, 4)))
        columns = zip(*((part.photo, part.boxes, part.score, part.offsets) for part in (none, *parts)), strict=True)
        return cls(*map(np.concatenate, columns))


class Mtcnn:
    """Finds faces in batches of photos.

    networks: runs P-Net, R-Net and O-Net. min_face_size: the smallest face that is searched for, in pixels.
    scale_factor: the scale of each pyramid level relative to the one before it. steps_threshold: the probability of
    a face that a candidate must reach in P-Net, and exceed in R-Net and O-Net.
    """

    def __init__(
        self,
        networks: Networks,
        min_face_size: int,
        scale_factor: float,
        steps_threshold: tuple[float, float, float],
    ) -> None:
        self.networks = networks
        self._min_face_size = min_face_size
        self._scale_factor = scale_factor
        self._pnet_threshold, self._rnet_threshold, self._onet_threshold = steps_threshold

    def __call__(self, photos: Sequence[Photo]) -> Faces:
        """The faces of all photos, photo by photo, the most confident face first.

        Their boxes and landmarks are in pixels, not rounded, and may lie outside the photo.
        """
        pictures = [photo.pixels for photo in photos]
        return self._locate(pictures, self._refine(pictures, self._propose(pictures)))

    def _propose(self, pictures: Sequence[Pixels]) -> Candidates:
        """P-Net proposes windows at every scale of every photo."""
        shapes = [pixels.shape for pixels in pictures]
        alike = [[index for index, own in enumerate(shapes) if own == shape] for shape in dict.fromkeys(shapes)]
        found = {index: windows for group in alike for index, windows in self._windows(pictures, group)}
        windows = Candidates.join(found[index] for index in range(len(pictures)))
        boxes = regress(windows.boxes, windows.offsets, inclusive=False)
        return replace(windows, boxes=np.trunc(squared(boxes)))

    def _refine(self, pictures: Sequence[Pixels], candidates: Candidates) -> Candidates:
        """R-Net rejects most of P-Net's windows, and moves the others."""
        crops, candidates = self._crops(pictures, candidates, RNET_SIDE)
        probability, offsets = self.networks.refine(crops)
        candidates = replace(candidates, score=probability, offsets=offsets)
        candidates = candidates.take(np.flatnonzero(probability > self._rnet_threshold))
        kept = self._suppress_by_photo(candidates.photo, candidates.boxes, candidates.score, 0.7)
        candidates = candidates.take(kept)
        boxes = regress(candidates.boxes, candidates.offsets)
        return replace(candidates, boxes=np.trunc(squared(boxes)))

    def _locate(self, pictures: Sequence[Pixels], candidates: Candidates) -> Faces:
        """O-Net decides what is a face, moves the boxes once more, and places the five landmarks."""
        crops, candidates = self._crops(pictures, candidates, ONET_SIDE)
        probability, offsets, points = self.networks.locate(crops)
        passed = np.flatnonzero(probability > self._onet_threshold)
        photo, before, score = candidates.photo[passed], candidates.boxes[passed], probability[passed]
        boxes, landmarks = regress(before, offsets[passed]), _landmarks(points[passed], before)
        kept = self._suppress_by_photo(photo, boxes, score, 0.7, minimum=True)
        corner, sides = boxes[kept, :2], boxes[kept, 2:] - boxes[kept, :2]
        return Faces(photo[kept], np.hstack([corner, sides]), score[kept], landmarks[kept])

    def _windows(self, pictures: Sequence[Pixels], alike: Sequence[int]) -> Iterator[tuple[int, Candidates]]:
        """P-Net's windows in several photos of one size, suppressed within each scale and then across scales."""
        height, width = pictures[alike[0]].shape[:2]
        pyramid = scales(height, width, self._min_face_size, self._scale_factor)
        cells = self.networks.propose([pictures[photo] for photo in alike], pyramid, self._pnet_threshold)
        for photo, levels in zip(alike, cells, strict=True):
            windows = Candidates.join(self._level(photo, *level) for level in zip(levels, pyramid, strict=True))
            yield photo, windows.take(self._suppress(windows.boxes, windows.score, 0.7))

    def _level(self, photo: int, cells: Cells, scale: float) -> Candidates:
        """P-Net's windows in a photo at one scale, suppressed."""
        boxes = from_cells(cells.rows, cells.columns, scale)
        windows = Candidates(np.full(len(boxes), photo), boxes, cells.probability, cells.offsets)
        return windows.take(self._suppress(boxes, cells.probability, 0.5))

    def _crops(self, pictures: Sequence[Pixels], candidates: Candidates, size: int) -> tuple[Floats32, Candidates]:
        """Crops (n, size, size, 3) of the candidates whose boxes are not empty, and these candidates."""
        candidates = candidates.take(np.flatnonzero((candidates.boxes[:, 2:] >= candidates.boxes[:, :2]).all(axis=1)))
        boxes = candidates.boxes.astype(np.int32)
        owners, starts = np.unique(candidates.photo, return_index=True)
        cut = [
            self.networks.crop(pictures[owner], own, size)
            for owner, own in zip(owners, np.split(boxes, starts)[1:], strict=True)
        ]
        return np.concatenate([np.empty((0, size, size, 3), np.float32), *cut]), candidates

    def _suppress_by_photo(
        self, photo: Indices, boxes: Floats, score: Floats, threshold: float, *, minimum: bool = False
    ) -> Indices:
        """`_suppress` among the boxes of each photo: indices of the kept boxes, photo by photo, best first."""
        # `np.unique` would import masked arrays, which takes a hundredth of a second in every process.
        owned = [np.flatnonzero(photo == one) for one in np.flatnonzero(np.bincount(photo))]
        kept = [own[self._suppress(boxes[own], score[own], threshold, minimum=minimum)] for own in owned]
        return np.concatenate([np.empty(0, np.intp), *kept])

    def _suppress(self, boxes: Floats, score: Floats, threshold: float, *, minimum: bool = False) -> Indices:
        """Indices of the kept boxes, best first; of two boxes that overlap, the one with the higher score."""
        order = best_first(score)
        return order[self.networks.suppress(boxes[order], threshold, minimum=minimum)]


def _landmarks(points: Floats, boxes: Floats) -> Floats:
    """Landmarks (n, 5, 2) in pixels, from O-Net's (n, 10) fractions of the box."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    fractions = points.reshape(-1, 2, 5).transpose(0, 2, 1)
    return fractions * sides[:, np.newaxis] + boxes[:, np.newaxis, :2] - 1
