"""The main face of a picture."""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Indices, Mask


def rank_in_picture(picture: Indices, prominence: Floats, among: Mask, label_distance: Floats | None = None) -> Floats:
    """(N,) rank of each face in its picture: 1 is the main face; NaN for a face that is not among them.

    picture: (N,) the number of each face's picture. prominence: (N,) as the measure; the greatest is the main face.
    among: (N,) boolean. label_distance: (N,) distance of each face to the centre of its label; where it is known, the
    nearest face comes first. NaN is the last of its picture. Of equal faces the earlier row comes first.
    """
    rows = np.flatnonzero(among)
    distance = np.full(len(picture), np.nan) if label_distance is None else label_distance
    order = rows[np.lexsort((-prominence[rows], distance[rows], picture[rows]))]
    return ranks_in_groups(picture[order], order, len(picture))


def ranks_in_groups(groups: Indices, rows: Indices, total: int) -> Floats:
    """(total,) the position of each row in its group, from 1; NaN for rows that are not listed.

    groups: (M,) the group of each listed row; rows of one group are next to each other. rows: (M,) in that order.
    """
    first = np.searchsorted(groups, groups) if len(groups) else np.zeros(0, np.intp)
    ranks = np.full(total, np.nan)
    ranks[rows] = np.arange(len(rows)) - first + 1
    return ranks
