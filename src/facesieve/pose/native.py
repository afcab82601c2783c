"""WHENet on the compiled extension."""

from __future__ import annotations

import numpy as np

from facesieve.native import Extension
from facesieve.pose.layers import OtherGraphError, PoseLayers
from facesieve.records import Floats32, Pixels


class NativeNetwork:
    """A network such as WHENet in less time: products of sixteen-bit integers, angles within .01 degrees on average.

    Raises OtherGraphError when the layers do not fit each other or are too large for the kernels.
    """

    def __init__(self, extension: Extension, read: PoseLayers) -> None:
        try:
            self._native = extension.head_pose(
                read.mean, read.deviation, read.blocks, read.features, read.logits, read.heads
            )
        except ValueError as error:
            raise OtherGraphError(str(error)) from error

    def __call__(self, crops: Pixels) -> list[Floats32]:
        """Crops (N, 224, 224, 3) uint8 RGB to degrees (N, heads) float32, the only output of the graph."""
        return [self._native.estimate(np.ascontiguousarray(crops))]
