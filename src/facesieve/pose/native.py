"""Pose networks on the compiled extension: WHENet and networks with the same architecture, and Sievepose."""

from __future__ import annotations

import numpy as np

from facesieve.native import Extension
from facesieve.pose.chain import Chain
from facesieve.pose.graph import Filters, OtherGraphError
from facesieve.pose.layers import PoseLayers
from facesieve.records import Floats32, Pixels


class NativeNetwork:
    """Runs a network such as WHENet in 16-bit integer arithmetic.

    It is faster than ONNX Runtime, and angles differ by less than 0.01 degrees on average.
    Raises OtherGraphError when the layers do not fit each other or are too large for the kernels.
    """

    def __init__(self, extension: Extension, layers: PoseLayers) -> None:
        try:
            self._native = extension.head_pose(
                layers.mean, layers.deviation, layers.blocks, layers.features, layers.logits, layers.heads
            )
        except ValueError as error:
            raise OtherGraphError(str(error)) from error

    def __call__(self, crops: Pixels) -> list[Floats32]:
        """Maps crops (N, 224, 224, 3) uint8 RGB to the only output of the graph, degrees (N, heads) float32."""
        return [self._native.estimate(np.ascontiguousarray(crops))]


class NativeSievepose:
    """Runs Sievepose in single precision; angles differ from those of ONNX Runtime by rounding alone.

    Raises OtherGraphError when the layers have other sizes than the kernels.
    """

    def __init__(self, extension: Extension, chain: Chain) -> None:
        convolutions = [_layer(filters, 0, extension.panel) for filters in chain.convolutions]
        layers = [*convolutions, _layer(chain.bins, 1, extension.panel)]
        try:
            self._native = extension.sievepose(
                chain.mean, chain.deviation, layers, chain.strides, chain.degrees.tolist()
            )
        except ValueError as error:
            raise OtherGraphError(str(error)) from error

    def __call__(self, crops: Pixels) -> list[Floats32]:
        """Maps crops (N, 64, 64, 3) uint8 RGB to degrees (N, 3) and spread (N, 3), both float32."""
        angles = self._native.estimate(np.ascontiguousarray(crops))
        return [angles[:, 0], angles[:, 1]]


def _layer(filters: Filters, slope: float, panel: int) -> tuple[Floats32, Floats32, Floats32]:
    """Weights (panel of filters, ky, kx, channel, filter), biases and slopes below zero, filled up to whole panels."""
    count = len(filters.bias)
    pad = -count % panel
    by_tap = filters.weight.reshape(*filters.weight.shape[:2], -1).transpose(2, 1, 0).reshape(-1, count)
    panels = np.pad(by_tap, [(0, 0), (0, pad)]).reshape(len(by_tap), -1, panel).transpose(1, 0, 2)
    return np.ascontiguousarray(panels).ravel(), np.pad(filters.bias, (0, pad)), np.full(count + pad, slope, np.float32)
