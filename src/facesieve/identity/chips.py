"""Cuts the input of a network out of aligned crops: scaled and shifted, by bicubic interpolation.

OpenCV 5 interpolates bicubically with other rounding than OpenCV 4. Here all numbers are whole and small enough to be
exact in float32, so the pixels are the same on every machine.
"""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Floats32, Integers, Pixels

CUBIC = -0.75  # the coefficient of OpenCV's INTER_CUBIC
WEIGHTS = 2.0**11  # the weights of one pixel add up to this
FINER = 2.0**4  # steps of a pixel value between the two passes; 255 * FINER * WEIGHTS is below 2**24


class Chips:
    """Maps crops (N, S, S, 3) uint8 RGB to chips (N, side, side, 3) uint8 RGB.

    size: S. side: of a chip. scale, shift: x and y of a point in the chip are `scale` times those in the crop, plus
    `shift`. Beyond its border, a crop is continued by its mirror image.
    """

    def __init__(self, size: int, side: int, scale: float, shift: tuple[float, float]) -> None:
        self._unchanged = side == size and scale == 1 and shift == (0, 0)
        self._columns, self._rows = (_taps(size, side, scale, by) for by in shift)

    def __call__(self, crops: Pixels) -> Pixels:
        if self._unchanged:
            return crops
        count, size, _, colours = crops.shape
        down = _resampled(crops.reshape(count, size, size * colours).astype(np.float32), self._rows)
        np.rint(down * (FINER / WEIGHTS), out=down)
        side = down.shape[1]
        # Columns become rows, so that both passes read whole rows.
        turned = down.reshape(count, side, size, colours).swapaxes(1, 2).reshape(count, size, side * colours)
        across = _resampled(turned, self._columns)
        across *= 1 / (FINER * WEIGHTS)
        chips = np.rint(across, out=across).clip(0, 255, out=across).astype(np.uint8)
        return np.ascontiguousarray(chips.reshape(count, side, side, colours).swapaxes(1, 2))


def _taps(size: int, side: int, scale: float, shift: float) -> tuple[Integers, Floats32]:
    """For each of `side` pixels, the indices (4, side) of the pixels that it is made of, and their weights."""
    at = (np.arange(side) - shift) / scale
    first = np.floor(at)
    weights = np.rint(_cubic(at - first) * WEIGHTS)
    weights[1] += WEIGHTS - weights.sum(axis=0)
    indices = first.astype(np.int64) + np.arange(-1, 3)[:, np.newaxis]
    mirrored = indices % (2 * size)
    return np.minimum(mirrored, 2 * size - 1 - mirrored), weights.astype(np.float32)


def _cubic(part: Floats) -> Floats:
    """Keys' weights (4, n) of the pixels around a point. part: (n,), how far it is from the second to the third."""
    distances = np.abs(part - np.arange(-1, 3)[:, np.newaxis])
    near = ((CUBIC + 2) * distances - (CUBIC + 3)) * distances**2 + 1
    far = (((distances - 5) * distances + 8) * distances - 4) * CUBIC
    return np.where(distances <= 1, near, far)


def _resampled(rows: Floats32, taps: tuple[Integers, Floats32]) -> Floats32:
    """Weighted sums of rows: (N, size, ...) to (N, side, ...)."""
    (first, *others), weights = taps
    total: Floats32 = rows[:, first]
    total *= weights[0][:, np.newaxis]
    for indices, weight in zip(others, weights[1:], strict=True):
        part = rows[:, indices]
        part *= weight[:, np.newaxis]
        total += part
    return total
