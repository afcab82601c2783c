"""WHENet on `facesieve._native`, the compiled extension."""

from __future__ import annotations

import numpy as np

from facesieve._native import HeadPose
from facesieve.models.onnx_file import Floats32
from facesieve.pose.layers import Layers
from facesieve.records import Pixels


class NativeNetwork:
    """A network such as WHENet in less time: products of sixteen-bit integers, angles within .01 degrees on average.

    read: its layers. isa: instruction set, one of `facesieve._native.isas()`; "" for the environment's FACESIEVE_ISA
    or the fastest.
    Raises ValueError when the layers do not fit each other, or the instruction set does not run here.
    """

    def __init__(self, read: Layers, isa: str = "") -> None:
        self._native = HeadPose(read.mean, read.deviation, read.blocks, read.features, read.logits, read.heads, isa)

    @property
    def isa(self) -> str:
        return self._native.isa

    def __call__(self, crops: Pixels) -> list[Floats32]:
        """Crops (N, 224, 224, 3) uint8 RGB to degrees (N, heads) float32, the only output of the graph."""
        return [self._native.turn(np.ascontiguousarray(crops))]
