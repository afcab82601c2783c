"""dlib's face recognition network: a ResNet of 29 layers (Davis King, 2017) with embeddings of 128 numbers.

The published file holds the weights in the order of the network; the architecture is that of
https://github.com/davisking/dlib/blob/master/examples/dnn_face_recognition_ex.cpp (`anet_type`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import numpy as np

from facesieve.errors import ModelError
from facesieve.models.dlib_file import Affine, Convolution, FullyConnected, Layer, layers
from facesieve.models.onnx_writer import Array, Graph

Kind = TypeVar("Kind", Convolution, Affine, FullyConnected)

SIDE = 150
MEAN = (122.782, 117.001, 104.298)  # of `input_rgb_image_sized`, which divides by 256 as well
SCALE = 256.0
# filters, blocks, and whether the first block halves the sides
STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))


def convert(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Convert the published file to the ONNX model `dlib-resnet`.

    It takes `crops` (N, 150, 150, 3) uint8 RGB and returns `embeddings` (N, 128) float32, not normalised; faces are
    compared by Euclidean distance.
    """
    [data] = sources.values()
    return {"dlib-resnet": _Network(layers(data)).built()}


class _Network:
    """Builds the graph while it reads the weights."""

    def __init__(self, weights: Iterator[Layer]) -> None:
        self._weights = weights
        self._graph = Graph("dlib-resnet")

    def built(self) -> bytes:
        graph = self._graph
        at, side = self._conv("stem", self._pixels(), SIDE, 2, relu=True)
        at = graph.node("MaxPool", [at], "stem.pool", kernel_shape=[3, 3], strides=[2, 2])
        side = (side - 3) // 2 + 1
        channels = 32
        for stage, (filters, blocks, halves) in enumerate(STAGES, 1):
            for block in range(blocks):
                stride = 2 if halves and not block else 1
                at, side = self._block(f"stage{stage}.{block}", at, side, channels, filters, stride)
                channels = filters
        mean = graph.node("Flatten", [graph.node("GlobalAveragePool", [at], "mean")], "features")
        weight = graph.weight("embedding.weight", self._next(FullyConnected).weight)
        graph.node("MatMul", [mean, weight], "embeddings")
        graph.output("embeddings", ("N", 128))
        if next(self._weights, None):
            raise _not_this_network()
        return graph.tobytes()

    def _pixels(self) -> str:
        graph = self._graph
        pixels = graph.input("crops", np.uint8, ("N", SIDE, SIDE, 3))
        planes = graph.node("Cast", [graph.node("Transpose", [pixels], "planes", perm=[0, 3, 1, 2])], "float", to=1)
        mean = graph.weight("pixels.mean", np.array(MEAN)[:, None, None])
        scale = graph.weight("pixels.scale", np.array(1 / SCALE))
        return graph.node("Mul", [graph.node("Sub", [planes, mean], "centred"), scale], "normalised")

    def _block(self, name: str, at: str, side: int, channels: int, filters: int, stride: int) -> tuple[str, int]:
        """Add two convolutions and a shortcut; if their shapes differ, the smaller one is padded with zeros."""
        graph = self._graph
        inner, small = self._conv(f"{name}.first", at, side, stride, relu=True)
        inner, small = self._conv(f"{name}.second", inner, small, 1, relu=False)
        if stride > 1:
            at = graph.node("AveragePool", [at], f"{name}.shortcut", kernel_shape=[2, 2], strides=[2, 2])
            side = (side - 2) // 2 + 1
        at = self._padded(f"{name}.shortcut", at, filters - channels, max(0, small - side))
        inner = self._padded(f"{name}.inner", inner, 0, max(0, side - small))
        total = graph.node("Add", [inner, at], f"{name}.sum")
        return graph.node("Relu", [total], f"{name}.out"), max(side, small)

    def _padded(self, name: str, at: str, channels: int, pixels: int) -> str:
        """Add zeros after the last channel, row and column."""
        if not channels and not pixels:
            return at
        pads = self._graph.weight(f"{name}.pads", np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64))
        return self._graph.node("Pad", [at, pads], f"{name}.padded")

    def _conv(self, name: str, at: str, side: int, stride: int, relu: bool) -> tuple[str, int]:
        """Add a convolution with the affine layer after it folded in. Returns the name and the side of its output."""
        conv, affine = self._next(Convolution), self._next(Affine)
        if conv.stride != (stride, stride) or conv.padding[0] != conv.padding[1]:
            raise _not_this_network()
        weight = conv.weight.astype(np.float64) * affine.gamma[:, None, None, None]
        bias = conv.bias.astype(np.float64) * affine.gamma + affine.beta
        size, padding = conv.weight.shape[2], conv.padding[0]
        made = self._conv_node(name, at, weight, bias, size, stride, padding)
        if relu:
            made = self._graph.node("Relu", [made], f"{name}.relu")
        return made, (side + 2 * padding - size) // stride + 1

    def _conv_node(self, name: str, at: str, weight: Array, bias: Array, size: int, stride: int, padding: int) -> str:
        graph = self._graph
        inputs = [at, graph.weight(f"{name}.weight", weight), graph.weight(f"{name}.bias", bias)]
        return graph.node(
            "Conv", inputs, f"{name}.conv", kernel_shape=[size, size], strides=[stride, stride], pads=[padding] * 4
        )

    def _next(self, kind: type[Kind]) -> Kind:
        layer = next(self._weights, None)
        if not isinstance(layer, kind):
            raise _not_this_network()
        return layer


def _not_this_network() -> ModelError:
    return ModelError("model_unreadable", "This is not dlib's published face recognition network.")
