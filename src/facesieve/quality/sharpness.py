"""How much real detail a crop carries, judged from its edges and from the pixels the picture gave it."""

from __future__ import annotations

import numpy as np

from facesieve.quality.region import face_region
from facesieve.records import Floats, Mask, Pixels

# Pixels around a pixel that its re-blurred gradient depends on.
REACH = 3
# Edges of a photo that fills the crop pixel by pixel are about this wide: a lens and one pixel's width.
SHARP_EDGE = 0.5
WIDEST_EDGE = 10.0


def edge_width(grey: Pixels, shown: Mask) -> Floats:
    """(N,) sigma, in crop pixels, of the edges of the face region; NaN where no such pixel is shown.

    grey: (N, S, S) uint8 luma. shown: (N, S, S), which pixels have their whole neighbourhood in the picture.
    Blurring an edge of width s again with sigma 1 lowers its gradient by r = sqrt(1 + 1 / s^2), whatever its
    contrast: so s = 1 / sqrt(r^2 - 1). r is averaged with the squared re-blurred gradient as weight, so that
    edges speak and noise does not. A face without any edge has the widest.
    Source: Zhuo and Sim, "Defocus map estimation from a single image", Pattern Recognition 44 (2011).
    """
    rows, columns, region = face_region(grey.shape[1], reach=REACH)
    once = grey[:, rows, columns].astype(np.float64)
    twice = _reblurred(once)
    judged = shown[:, rows, columns] & region
    weights = _gradient(twice) * judged
    before = (weights * _gradient(once)).reshape(len(grey), region.size).sum(axis=1)
    after = (weights * weights).reshape(len(grey), region.size).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(after > 0, before / after, 0.0)
    width = 1 / np.sqrt(np.maximum(ratio * ratio - 1, WIDEST_EDGE**-2))
    return np.where(judged.any(axis=(1, 2)), width, np.nan)


def sharpness(width: Floats, upsampling: Floats) -> Floats:
    """(N,) 0 to 100: the share of the crop's detail that is really there.

    Two bounds, the lower counts. Content: (sharp edge / edge width) squared, which follows 1 / factor on faces
    shrunk and enlarged again, so a picture enlarged before it came here is found out. Geometry: 1 / upsampling,
    which noise and ringing cannot raise.
    """
    with np.errstate(divide="ignore"):
        return 100 * np.minimum(1.0, np.minimum((SHARP_EDGE / width) ** 2, 1 / upsampling))


def _reblurred(grey: Floats) -> Floats:
    """The binomial kernel of variance 1 in both directions; edges are repeated."""
    height, width = grey.shape[1:]
    padded = np.pad(grey, ((0, 0), (2, 2), (2, 2)), mode="edge")
    down = _binomial(*(padded[:, i : i + height] for i in range(5)))
    return _binomial(*(down[:, :, i : i + width] for i in range(5)))


def _binomial(a: Floats, b: Floats, c: Floats, d: Floats, e: Floats) -> Floats:
    return ((a + e) + 4 * (b + d) + 6 * c) / 16


def _gradient(grey: Floats) -> Floats:
    """Squared length of the forward difference; the last row and column have none."""
    answer = np.zeros_like(grey)
    answer[:, :, :-1] += np.diff(grey, axis=2) ** 2
    answer[:, :-1] += np.diff(grey, axis=1) ** 2
    return answer
