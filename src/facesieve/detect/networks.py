"""The three networks as a protocol, and `OnnxNetworks`, which runs them on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from facesieve.detect.boxes import suppress
from facesieve.detect.pyramid import WINDOW, levels
from facesieve.records import Floats, Floats32, Indices, Pixels

Net = Callable[[Floats32], Sequence[Floats32]]

RNET_SIDE, ONET_SIDE = 24, 48  # sides in pixels of the crops that they see

STRIP_PIXELS = 2**17  # pixels of a pyramid level that P-Net sees at once; this bounds memory on large photos
BATCH = 32  # crops that R-Net and O-Net see at once; on a CPU, 256 take 200 MB more memory and as much time


@dataclass(frozen=True, slots=True)
class Cells:
    """P-Net's n cells above the threshold at one scale, sorted by column and then by row, as in the reference.

    rows, columns: (n,) on the map, which has stride 2. probability: (n,) of a face. offsets: (n, 4) of x1, y1, x2, y2,
    as shares of the window's side.
    """

    rows: Indices
    columns: Indices
    probability: Floats
    offsets: Floats


class Networks(Protocol):
    """The arithmetic of the cascade, which each engine computes in its own way."""

    def propose(self, pictures: Sequence[Pixels], scales: list[float], threshold: float) -> list[list[Cells]]:
        """P-Net on the pyramids of (H, W, 3) uint8 RGB pictures of one size.

        threshold: the lowest probability of a cell. Returns for each picture a list with one `Cells` for each scale.
        """
        ...

    def crop(self, pixels: Pixels, boxes: npt.NDArray[np.int32], size: int) -> Floats32:
        """Crops (n, size, size, 3) float32 RGB in 0..255 of a picture (H, W, 3) uint8, resized by area averaging.

        boxes: (n, 4) x1, y1, x2, y2; pixels count from 1, and both corners belong to the box. Pixels outside the
        picture are black.
        """
        ...

    def refine(self, crops: Floats32) -> tuple[Floats, Floats]:
        """R-Net on crops (n, 24, 24, 3): probabilities of a face (n,), offsets (n, 4) of x1, y1, x2, y2."""
        ...

    def locate(self, crops: Floats32) -> tuple[Floats, Floats, Floats]:
        """O-Net on crops (n, 48, 48, 3): probabilities (n,), offsets (n, 4), landmarks (n, 10) x1..x5, y1..y5.

        Offsets and landmarks are shares of the box's sides.
        """
        ...

    def suppress(self, boxes: Floats, threshold: float, *, minimum: bool = False) -> Indices:
        """Greedy non-maximum suppression; see `boxes.suppress`."""
        ...


class OnnxNetworks:
    """The networks on ONNX Runtime. They run everywhere, and tests compare faster engines with them.

    pnet, rnet, onet: map (n, h, w, 3) float32 RGB in 0..255 to all outputs of the network; see `models.convert.mtcnn`.
    strip_pixels: pixels of a pyramid level that P-Net sees at once. batch: crops that R-Net and O-Net see at once.
    """

    def __init__(self, pnet: Net, rnet: Net, onet: Net, strip_pixels: int = STRIP_PIXELS, batch: int = BATCH) -> None:
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._strip_pixels, self._batch = strip_pixels, batch

    suppress = staticmethod(suppress)

    def propose(self, pictures: Sequence[Pixels], scales: list[float], threshold: float) -> list[list[Cells]]:
        pyramids = zip(*(levels(pixels, scales) for pixels in pictures), strict=True)
        cells = [self._propose_level(np.stack(level), threshold) for level in pyramids]
        return [list(own) for own in zip(*cells, strict=True)] or [[] for _ in pictures]

    def _propose_level(self, level: Pixels, threshold: float) -> list[Cells]:
        """Cells of one level (n, h, w, 3) of n pictures: several pictures at once, or one large picture in strips."""
        at_once = max(self._strip_pixels // level[0, ..., 0].size, 1)
        groups = (level[first : first + at_once] for first in range(0, len(level), at_once))
        return [cells for group in groups for cells in self._propose_group(group, threshold)]

    def _propose_group(self, level: Pixels, threshold: float) -> Iterator[Cells]:
        """Cells of one level (n, h, w, 3) of n pictures that P-Net sees at once, strip by strip."""
        maps = [self._pnet(strip.astype(np.float32)) for strip in _strips(level, self._strip_pixels)]
        probabilities, offsets = (np.concatenate(parts, axis=1) for parts in zip(*maps, strict=True))
        for probability, own in zip(probabilities, offsets, strict=True):
            columns, rows = np.nonzero((probability >= threshold).T)
            yield Cells(rows, columns, probability[rows, columns].astype(float), own[rows, columns].astype(float))

    def crop(self, pixels: Pixels, boxes: npt.NDArray[np.int32], size: int) -> Floats32:
        crops = np.empty((len(boxes), size, size, 3), np.float32)
        for crop, box in zip(crops, boxes, strict=True):
            cv2.resize(_padded(pixels, *box.tolist()), (size, size), dst=crop, interpolation=cv2.INTER_AREA)
        return crops

    def refine(self, crops: Floats32) -> tuple[Floats, Floats]:
        probability, offsets = _batched(self._rnet, crops, self._batch, (), (4,))
        return probability, offsets

    def locate(self, crops: Floats32) -> tuple[Floats, Floats, Floats]:
        probability, offsets, landmarks = _batched(self._onet, crops, self._batch, (), (4,), (10,))
        return probability, offsets, landmarks


def _batched(net: Net, crops: Floats32, batch: int, *shapes: tuple[int, ...]) -> list[Floats]:
    """Outputs of a network for all crops, `batch` crops at a time. shapes: of each output for one crop."""
    outs = [net(crops[start : start + batch]) for start in range(0, len(crops), batch)]
    empty = [np.empty((0, *shape)) for shape in shapes]
    return [np.concatenate(parts, dtype=np.float64) for parts in zip(empty, *outs, strict=True)]


def _strips(level: Pixels, pixels: int) -> Iterator[Pixels]:
    """Strips of whole rows of a level (n, h, w, 3). Their maps, one below the other, are exactly the map of the level.

    A row of the map sees 12 rows of pixels, and the next row begins 2 pixels lower. So strips overlap by 10 rows and
    begin on even rows. The last windows of an odd height also see the padding of the 2 x 2 pool, so the last strip
    takes all remaining rows.
    """
    count, height, width, _ = level.shape
    rows = max(pixels // (count * width), 2 * WINDOW) // 2 * 2
    for top in range(0, max(height - WINDOW + 1, 1), rows):
        last = top + rows > height - WINDOW
        yield level[:, top:] if last else level[:, top : top + rows + WINDOW - 2]


def _padded(pixels: Pixels, x1: int, y1: int, x2: int, y2: int) -> Floats32:
    """Pixels of a box as float32, black outside the picture. Pixels count from 1, and both corners are in the box."""
    height, width = pixels.shape[:2]
    inside = pixels[max(y1 - 1, 0) : max(y2, 0), max(x1 - 1, 0) : max(x2, 0)]
    if x1 >= 1 and y1 >= 1 and x2 <= width and y2 <= height:
        return inside.astype(np.float32)
    padded = np.zeros((y2 - y1 + 1, x2 - x1 + 1, 3), np.float32)
    top, left = max(1 - y1, 0), max(1 - x1, 0)
    padded[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return padded
