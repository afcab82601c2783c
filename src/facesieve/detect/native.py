"""`NativeNetworks`: the cascade's arithmetic on `facesieve._native`, the compiled extension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from facesieve._native import Networks, suppress
from facesieve.detect.boxes import Indices
from facesieve.detect.networks import Cells, Tensor
from facesieve.records import Floats, Pixels

Weights = Mapping[str, Tensor]
Layer = tuple[Tensor, Tensor, Tensor]

PANEL = 16  # filters whose weights lie side by side, as the kernels read them


class NativeNetworks:
    """The networks of `OnnxNetworks`, same numbers, several times faster.

    pnet, rnet, onet: weights by name, as `models` converts them (O, I, h, w; normalisation inside the first layer).
    isa: instruction set, one of `facesieve._native.isas()`; "" for the environment's FACESIEVE_ISA or the fastest.
    Raises ValueError when weights have other shapes or the instruction set does not run here.
    """

    def __init__(self, pnet: Weights, rnet: Weights, onet: Weights, isa: str = "") -> None:
        self._native = Networks(_along_rows(pnet), _along_filters(rnet, 3, 3), _along_filters(onet, 4, 3), isa)

    @property
    def isa(self) -> str:
        return self._native.isa

    def propose(self, pictures: Sequence[Pixels], scales: list[float], threshold: float) -> list[list[Cells]]:
        return [self._cells(pixels, scales, threshold) for pixels in pictures]

    def _cells(self, pixels: Pixels, scales: list[float], threshold: float) -> list[Cells]:
        found = self._native.propose(np.ascontiguousarray(pixels), scales, threshold)
        return [Cells(rows, columns, p.astype(float), offsets.astype(float)) for rows, columns, p, offsets in found]

    def crop(self, pixels: Pixels, boxes: npt.NDArray[np.int32], size: int) -> Tensor:
        return self._native.crop(np.ascontiguousarray(pixels), np.ascontiguousarray(boxes), size)

    def refine(self, crops: Tensor) -> tuple[Floats, Floats]:
        answers = self._native.refine(np.ascontiguousarray(crops)).astype(float)
        return answers[:, 0], answers[:, 1:]

    def locate(self, crops: Tensor) -> tuple[Floats, Floats, Floats]:
        answers = self._native.locate(np.ascontiguousarray(crops)).astype(float)
        return answers[:, 0], answers[:, 1:5], answers[:, 5:]

    def suppress(self, boxes: Floats, threshold: float, *, minimum: bool = False) -> Indices:
        return suppress(np.ascontiguousarray(boxes), threshold, minimum)


def _along_rows(weights: Weights) -> list[Layer]:
    """P-Net: neighbouring positions share a weight, so each layer is (channel, ky, kx, filter)."""
    convs = [
        (
            _packed(weights[f"conv{n}.weight"].transpose(1, 2, 3, 0)),
            weights[f"conv{n}.bias"],
            weights[f"prelu{n}.slope"],
        )
        for n in (1, 2, 3)
    ]
    heads = [(weights[f"{head}.weight"], weights[f"{head}.bias"]) for head in ("score", "regression")]
    return [_flat(*conv) for conv in convs] + [_flat(weight, bias, np.ones_like(bias)) for weight, bias in heads]


def _along_filters(weights: Weights, convs: int, side: int) -> list[Layer]:
    """R-Net and O-Net: each layer is (panel of filters, ky, kx, channel, filter), all heads one layer."""
    layers = [
        _panels(weights[f"conv{n}.weight"].transpose(2, 3, 1, 0), weights[f"conv{n}.bias"], weights[f"prelu{n}.slope"])
        for n in range(1, convs + 1)
    ]
    dense = weights["dense.weight"]
    dense = dense.reshape(len(dense), -1, side, side).transpose(2, 3, 1, 0)
    layers.append(_panels(dense, weights["dense.bias"], weights["dense.slope"]))
    heads = [head for head in ("score", "regression", "landmarks") if f"{head}.weight" in weights]
    weight = np.concatenate([weights[f"{head}.weight"] for head in heads]).T
    bias = np.concatenate([weights[f"{head}.bias"] for head in heads])
    return [*layers, _panels(weight, bias, np.ones_like(bias))]


def _panels(weight: Tensor, bias: Tensor, slope: Tensor) -> Layer:
    """weight: (..., filter). Filters are padded with zeros to whole panels."""
    filters = weight.shape[-1]
    pad = -filters % PANEL
    weight = np.pad(weight.reshape(-1, filters), [(0, 0), (0, pad)])
    weight = weight.reshape(len(weight), -1, PANEL).transpose(1, 0, 2)
    return _flat(weight, np.pad(bias, (0, pad)), np.pad(slope.ravel(), (0, pad)))


def _flat(weight: Tensor, bias: Tensor, slope: Tensor) -> Layer:
    return _packed(weight).ravel(), _packed(bias).ravel(), _packed(slope).ravel()


def _packed(values: Tensor) -> Tensor:
    return np.ascontiguousarray(values, np.float32)
