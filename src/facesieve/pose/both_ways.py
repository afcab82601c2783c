"""Sees each crop as it is and mirrored, and averages what a pose network says about the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from facesieve.records import Floats32, Pixels

MIRRORED = np.array([1, -1, -1], np.float32)  # pitch, yaw, roll


def both_ways(network: Callable[[Pixels], Sequence[Floats32]], crops: Pixels) -> list[Floats32]:
    """Maps crops (N, side, side, 3) to degrees (N, 3) and spread (N, 3), both float32.

    So a mirrored face has the mirrored pose. The spread is that of both answers together: where they disagree, it is
    greater than that of either.
    """
    count = len(crops)
    degrees, spread = network(np.concatenate([crops, crops[:, :, ::-1]]))
    plain, mirrored = degrees[:count], degrees[count:] * MIRRORED
    variance = (spread[:count] ** 2 + spread[count:] ** 2) / 2 + ((plain - mirrored) / 2) ** 2
    return [(plain + mirrored) / 2, np.sqrt(variance)]
