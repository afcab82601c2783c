"""Places the numbers of each face in a marked picture so that they cover no face and no other numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from facesieve.records import Floats

Rectangle = tuple[int, int, int, int]  # left, top, right, bottom, in pixels


def text_places(
    boxes: Sequence[Rectangle], sizes: Sequence[tuple[int, int]], picture: tuple[int, int]
) -> list[Rectangle]:
    """One rectangle per face, inside the picture.

    Of the places around a face, the first that covers nothing is used, or else the one that covers the least.
    sizes: the (width, height) of each text; a text larger than the picture is cut. picture: its width and height.
    """
    taken = np.array(boxes, float).reshape(-1, 4)
    places: list[Rectangle] = []
    for box, size in zip(boxes, sizes, strict=True):
        around = [_inside(place, picture) for place in _around(box, size)]
        covered = [_covered(place, taken) for place in around]
        places.append(around[int(np.argmin(covered))])
        taken = np.vstack([taken, places[-1]])
    return places


def _around(box: Rectangle, size: tuple[int, int]) -> Iterator[Rectangle]:
    """Yield places above, below, right and left of a box; the preferred one first."""
    left, top, right, bottom = box
    width, height = size
    columns = (left, right - width, (left + right - width) // 2)
    rows = (top, bottom - height, (top + bottom - height) // 2)
    corners = [(x, top - height - 1) for x in columns] + [(x, bottom + 1) for x in columns]
    corners += [(right + 1, y) for y in rows] + [(left - width - 1, y) for y in rows]
    for x, y in corners:
        yield x, y, x + width, y + height


def _inside(place: Rectangle, picture: tuple[int, int]) -> Rectangle:
    """The place moved into the picture, and cut if it is larger than the picture."""
    left, top, right, bottom = place
    x = int(np.clip(left, 0, max(0, picture[0] - 1 - (right - left))))
    y = int(np.clip(top, 0, max(0, picture[1] - 1 - (bottom - top))))
    return x, y, min(x + right - left, picture[0] - 1), min(y + bottom - top, picture[1] - 1)


def _covered(place: Rectangle, taken: Floats) -> float:
    """The number of pixels of the taken rectangles that a place covers."""
    left, top, right, bottom = place
    wide = np.minimum(taken[:, 2], right) - np.maximum(taken[:, 0], left)
    high = np.minimum(taken[:, 3], bottom) - np.maximum(taken[:, 1], top)
    return float((wide.clip(0) * high.clip(0)).sum())
