"""The networks of the cascade on the compiled extension."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from facesieve.detect.networks import Cells
from facesieve.native import Extension
from facesieve.records import Floats, Floats32, Indices, Pixels

Weights = Mapping[str, Floats32]
Layer = tuple[Floats32, Floats32, Floats32]


class NativeNetworks:
    """The networks of MTCNN, several times as fast as `OnnxNetworks`; numbers agree up to rounding.

    pnet, rnet, onet: weights by name, as `models.convert.mtcnn` names and shapes them.
    Raises ValueError when weights have other shapes.
    """

    def __init__(self, extension: Extension, pnet: Weights, rnet: Weights, onet: Weights) -> None:
        crop_layers = (_crop_net_layers(weights, extension.panel) for weights in (rnet, onet))
        self._native = extension.networks(_pnet_layers(pnet), *crop_layers)
        self._suppress = extension.suppress

    def propose(self, pictures: Sequence[Pixels], scales: list[float], threshold: float) -> list[list[Cells]]:
        return [self._cells(pixels, scales, threshold) for pixels in pictures]

    def _cells(self, pixels: Pixels, scales: list[float], threshold: float) -> list[Cells]:
        found = self._native.propose(np.ascontiguousarray(pixels), scales, threshold)
        return [Cells(rows, columns, p.astype(float), offsets.astype(float)) for rows, columns, p, offsets in found]

    def crop(self, pixels: Pixels, boxes: npt.NDArray[np.int32], size: int) -> Floats32:
        return self._native.crop(np.ascontiguousarray(pixels), np.ascontiguousarray(boxes), size)

    def refine(self, crops: Floats32) -> tuple[Floats, Floats]:
        answers = self._native.refine(np.ascontiguousarray(crops)).astype(float)
        return answers[:, 0], answers[:, 1:]

    def locate(self, crops: Floats32) -> tuple[Floats, Floats, Floats]:
        answers = self._native.locate(np.ascontiguousarray(crops)).astype(float)
        return answers[:, 0], answers[:, 1:5], answers[:, 5:]

    def suppress(self, boxes: Floats, threshold: float, *, minimum: bool = False) -> Indices:
        return self._suppress(np.ascontiguousarray(boxes), threshold, minimum)


def _pnet_layers(weights: Weights) -> list[Layer]:
    """P-Net's layers, each with weights (channel, ky, kx, filter); kernels apply one weight to a row of positions."""
    convs = [
        (_packed(weight.transpose(1, 2, 3, 0)), bias, slope) for weight, bias, slope in _convolution_layers(weights)
    ]
    heads = [(weights[f"{head}.weight"], weights[f"{head}.bias"]) for head in ("score", "regression")]
    return [_flat(*conv) for conv in convs] + [_flat(weight, bias, np.ones_like(bias)) for weight, bias in heads]


def _crop_net_layers(weights: Weights, panel: int) -> list[Layer]:
    """The layers of R-Net or O-Net, each with weights (panel of filters, ky, kx, channel, filter).

    All heads are one layer. panel: number of filters in a panel, which the kernels compute together.
    """
    convolutions = list(_convolution_layers(weights))
    layers = [_panels(weight.transpose(2, 3, 1, 0), bias, slope, panel) for weight, bias, slope in convolutions]
    dense, channels = weights["dense.weight"], len(convolutions[-1][0])
    side = math.isqrt(dense.shape[1] // channels)  # of the last map
    dense = dense.reshape(len(dense), channels, side, side).transpose(2, 3, 1, 0)
    layers.append(_panels(dense, weights["dense.bias"], weights["dense.slope"], panel))
    heads = [head for head in ("score", "regression", "landmarks") if f"{head}.weight" in weights]
    weight = np.concatenate([weights[f"{head}.weight"] for head in heads]).T
    bias = np.concatenate([weights[f"{head}.bias"] for head in heads])
    return [*layers, _panels(weight, bias, np.ones_like(bias), panel)]


def _convolution_layers(weights: Weights) -> Iterator[Layer]:
    for n in itertools.count(1):
        if f"conv{n}.weight" not in weights:
            return
        yield weights[f"conv{n}.weight"], weights[f"conv{n}.bias"], weights[f"prelu{n}.slope"]


def _panels(weight: Floats32, bias: Floats32, slope: Floats32, panel: int) -> Layer:
    """A layer whose filters are filled up to whole panels with filters of zeros. weight: (..., filter)."""
    filters = weight.shape[-1]
    pad = -filters % panel
    weight = np.pad(weight.reshape(-1, filters), [(0, 0), (0, pad)])
    weight = weight.reshape(len(weight), -1, panel).transpose(1, 0, 2)
    return _flat(weight, np.pad(bias, (0, pad)), np.pad(slope.ravel(), (0, pad)))


def _flat(weight: Floats32, bias: Floats32, slope: Floats32) -> Layer:
    return _packed(weight).ravel(), _packed(bias).ravel(), _packed(slope).ravel()


def _packed(values: Floats32) -> Floats32:
    return np.ascontiguousarray(values, np.float32)
