"""Sievepose on the compiled extension."""

from __future__ import annotations

import numpy as np

from facesieve.models.onnx_reader import initializers
from facesieve.native import Extension
from facesieve.records import Floats32, Pixels


class NativeSievepose:
    """Runs Sievepose in single precision; angles differ from those of ONNX Runtime by rounding alone.

    model: the ONNX file that `training/pose/export.py` writes. Raises ModelError when the bytes are not an ONNX model,
    and ValueError when its layers have other sizes than the kernels.
    """

    def __init__(self, extension: Extension, model: bytes) -> None:
        weights = initializers(model)
        count = sum(name.startswith("conv") and name.endswith(".weight") for name in weights)
        names = [*(f"conv{number}" for number in range(1, count + 1)), "bins"]
        slopes = [0.0] * count + [1.0]  # ReLU after each convolution, nothing after the bins
        layers = [
            _layer(weights[f"{name}.weight"], weights[f"{name}.bias"], slope, extension.panel)
            for name, slope in zip(names, slopes, strict=True)
        ]
        mean, deviation = (weights[name].ravel().tolist() for name in ("mean", "std"))
        self._native = extension.sievepose(mean, deviation, layers, weights["angles"].tolist())

    def __call__(self, crops: Pixels) -> list[Floats32]:
        """Maps crops (N, side, side, 3) uint8 RGB to degrees (N, 3) and spread (N, 3), both float32."""
        angles = self._native.estimate(np.ascontiguousarray(crops))
        return [angles[:, 0], angles[:, 1]]


def _layer(weight: Floats32, bias: Floats32, slope: float, panel: int) -> tuple[Floats32, Floats32, Floats32]:
    """Weights (panel of filters, ky, kx, channel, filter), biases and slopes below zero, filled up to whole panels."""
    count = len(bias)
    pad = -count % panel
    by_tap = weight.reshape(*weight.shape[:2], -1).transpose(2, 1, 0).reshape(-1, count)
    panels = np.pad(by_tap, [(0, 0), (0, pad)]).reshape(len(by_tap), -1, panel).transpose(1, 0, 2)
    return np.ascontiguousarray(panels).ravel(), np.pad(bias, (0, pad)), np.full(count + pad, slope, np.float32)
