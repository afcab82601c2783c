"""How many faces a picture has, and all relations of faces in one picture together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from facesieve.records import Floats, Indices, Mask
from facesieve.relate.rank_in_picture import rank_in_picture


def faces_in_picture(picture: Indices, among: Mask) -> Floats:
    """(N,) how many of these faces the picture of each face has; NaN for a face that is not among them.

    picture: (N,) the number of each face's picture, from 0. among: (N,) boolean.
    """
    counts = np.bincount(picture[among], minlength=int(picture.max(initial=-1)) + 1)
    return np.where(among, counts[picture], np.nan).astype(np.float64)


def picture_relations(picture: Indices, prominence: Floats) -> dict[str, Callable[[Mask], Floats]]:
    """The relations of faces in one picture by name, each a function of the faces that it is computed among.

    picture: (N,) the number of each face's picture, from 0. prominence: (N,) as the measure.
    """
    return {
        "faces_in_picture": partial(faces_in_picture, picture),
        "rank_in_picture": partial(rank_in_picture, picture, prominence),
    }
