"""Places the numbers of each face in a marked picture so that they cover no face and no other numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Rectangle = tuple[int, int, int, int]  # left, top, right, bottom, in pixels
Ints = npt.NDArray[np.int64]


def text_positions(
    boxes: Sequence[Rectangle], sizes: Sequence[tuple[int, int]], picture: tuple[int, int]
) -> list[Rectangle]:
    """One rectangle per face, inside the picture.

    Of the positions around a face, the first that covers nothing is used, or else the one that covers the least.
    sizes: the (width, height) of each text; a text larger than the picture is cut. picture: its width and height.
    """
    around = _inside(_around(np.array(boxes, int).reshape(-1, 4), np.array(sizes, int).reshape(-1, 2)), picture)
    taken = np.concatenate([np.array(boxes, int).reshape(-1, 4), np.zeros((len(boxes), 4), int)])
    for face, positions in enumerate(around):
        covered = _covered(positions, taken[: len(boxes) + face])
        taken[len(boxes) + face] = positions[np.argmin(covered)]
    return [(left, top, right, bottom) for left, top, right, bottom in taken[len(boxes) :].tolist()]


def _around(boxes: Ints, sizes: Ints) -> Ints:
    """(N, 12, 4) positions above, below, right and left of each box; the preferred one first."""
    left, top, right, bottom = boxes.T
    width, height = sizes.T
    columns = (left, right - width, (left + right - width) // 2)
    rows = (top, bottom - height, (top + bottom - height) // 2)
    x = np.stack([*columns, *columns, *[right + 1] * 3, *[left - width - 1] * 3], axis=1)
    y = np.stack([*[top - height - 1] * 3, *[bottom + 1] * 3, *rows, *rows], axis=1)
    return np.stack([x, y, x + width[:, None], y + height[:, None]], axis=2)


def _inside(positions: Ints, picture: tuple[int, int]) -> Ints:
    """The positions moved into the picture, and cut if they are larger than the picture."""
    start, size = positions[..., :2], positions[..., 2:] - positions[..., :2]
    last = np.array(picture) - 1
    start = start.clip(0, np.maximum(0, last - size))
    return np.concatenate([start, np.minimum(start + size, last)], axis=-1)


def _covered(positions: Ints, taken: Ints) -> Ints:
    """(P,): the number of pixels of the (K, 4) taken rectangles that each of (P, 4) positions covers."""
    ends = np.minimum(positions[:, None, 2:], taken[:, 2:])
    sides = (ends - np.maximum(positions[:, None, :2], taken[:, :2])).clip(0)
    area: Ints = (sides[..., 0] * sides[..., 1]).sum(axis=1)
    return area
