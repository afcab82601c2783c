"""Which pixels of an aligned crop show the face, and which lie inside the picture."""

from __future__ import annotations

from functools import cache

import numpy as np

from facesieve.records import TEMPLATE_SIZE, Floats, Indices, Mask

# An ellipse on the 112 x 112 template, x and y in pixels: from above the eyebrows to the chin, and below the hairline.
# OFIQ draws this region through landmarks.
CENTRE = (55.5, 72.0)
HALF_AXES = (33.0, 40.0)


@cache
def face_region(side: int, reach: int = 0) -> tuple[slice, slice, Mask]:
    """The rows and columns of a crop with the face region and `reach` pixels around it, and the region within these.

    side: of the crop in pixels. The region is a boolean mask of those rows and columns: an ellipse that is symmetric
    about the middle column, so that both halves have the same number of pixels.
    """
    scale = side / TEMPLATE_SIZE
    y, x = np.mgrid[:side, :side]
    across = (x - (side - 1) / 2) / (HALF_AXES[0] * scale)
    down = (y - CENTRE[1] * scale) / (HALF_AXES[1] * scale)
    face = across**2 + down**2 <= 1
    rows, columns = np.flatnonzero(face.any(axis=1)), np.flatnonzero(face.any(axis=0))
    box = _span(rows, reach, side), _span(columns, reach, side)
    region = face[box]
    region.flags.writeable = False
    return *box, region


def _span(indices: Indices, reach: int, side: int) -> slice:
    return slice(max(int(indices[0]) - reach, 0), min(int(indices[-1]) + 1 + reach, side))


def inverse(matrices: Floats) -> Floats:
    """Transforms from crop to photo, (N, 3, 3) up to a factor, of (N, 2, 3) or (N, 3, 3) from photo to crop.

    They are adjugates. These exist for every matrix, so that one matrix without an inverse does not stop a batch.
    """
    forward = square(matrices)
    a, b, c = forward[:, 0], forward[:, 1], forward[:, 2]
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=2)


def square(matrices: Floats) -> Floats:
    """(N, 3, 3) matrices from (N, 2, 3) or (N, 3, 3); the missing last row is 0, 0, 1."""
    full = np.tile(np.eye(3), (len(matrices), 1, 1))
    full[:, : matrices.shape[1]] = matrices
    return full


def inside(matrices: Floats, sizes: Floats, side: int, margin: float = 0.0) -> Mask:
    """(N, side, side) boolean: whether a crop pixel and `margin` crop pixels around it lie inside the picture.

    matrices: (N, 2, 3) or (N, 3, 3) photo to crop. sizes: (N, 2) width and height of each face's photo.
    A pixel is a square around whole coordinates, so a photo extends from -0.5 to its width - 0.5.
    """
    back = inverse(matrices)
    answer = np.ones((len(matrices), side, side), bool)
    ends = np.array([-margin - 0.5, side - 0.5 + margin])
    corners = _within(back, sizes, ends[None, :], ends[:, None]).all(axis=(1, 2))
    partly = np.flatnonzero(~corners)
    steps = np.arange(side, dtype=np.float64)
    for shift_x in {-margin, margin}:
        for shift_y in {-margin, margin}:
            at = steps[None, :] + shift_x, steps[:, None] + shift_y
            answer[partly] &= _within(back[partly], sizes[partly], *at)
    return answer


def _within(back: Floats, sizes: Floats, u: Floats, v: Floats) -> Mask:
    """Whether each point (u, v) of the crops lies inside the picture."""
    x, y, w = (row[:, 0] * u + row[:, 1] * v + row[:, 2] for row in np.moveaxis(back, 1, 0)[..., None, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = x / w, y / w
    width, height = sizes[:, 0, None, None], sizes[:, 1, None, None]
    answer: Mask = (x >= -0.5) & (y >= -0.5) & (x <= width - 0.5) & (y <= height - 0.5)
    return answer
