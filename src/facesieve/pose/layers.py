"""Reads the layers of a network such as WHENet from its ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from facesieve.pose.graph import Filters, GraphReader, OtherGraphError


class Block(NamedTuple):
    """A mobile inverted bottleneck (Tan and Le, 2019, https://arxiv.org/abs/1905.11946).

    kernel, stride: of the depthwise filters, in pixels. skip: whether the block's input is added to its output.
    """

    expand: Filters
    depthwise: Filters
    squeeze: Filters
    excite: Filters
    project: Filters
    kernel: int
    stride: int
    skip: bool


@dataclass(frozen=True, slots=True)
class PoseLayers:
    """All layers of a pose network.

    mean, deviation: of red, green and blue; a network sees (crop - mean) / deviation. features: the last convolution.
    logits: the bins of all heads, head after head. heads: for each head the angle of each bin in degrees.
    """

    mean: list[float]
    deviation: list[float]
    blocks: list[Block]
    features: Filters
    logits: Filters
    heads: list[list[float]]


def read_layers(model: bytes) -> PoseLayers:
    """The layers of an ONNX model as `models.convert.whenet` writes it; the first block's expansion is the stem.

    Raises OtherGraphError when the graph has another form, ModelError when the bytes are not an ONNX model.
    """
    reader = GraphReader.of(model)
    reader.step("Transpose", perm=(0, 3, 1, 2))
    reader.step("Cast", to=1)
    mean, deviation = reader.by_colour("Sub"), reader.by_colour("Div")
    blocks, expand = [], reader.conv_swish(kernel=3, stride=2)
    by_row = np.ascontiguousarray(expand.weight.transpose(0, 2, 3, 1))  # taps by row, column, colour
    expand = Filters(by_row, expand.bias)
    start = ""  # the stem's input is the picture, which no block can add to its output
    while not reader.next_is("GlobalAveragePool"):
        blocks.append(_block(reader, expand, start))
        start, expand = reader.at, reader.conv_swish()
    reader.step("GlobalAveragePool")
    reader.step("Flatten")
    logits, heads = _heads(reader)
    return PoseLayers(mean, deviation, blocks, expand, logits, heads)


def _block(reader: GraphReader, expand: Filters, start: str) -> Block:
    """The rest of a block whose expansion was read. start: the name of the expansion's input."""
    channels = len(expand.bias)
    kernel, stride = reader.sizes()
    depthwise = reader.conv_swish(kernel, stride, channels)
    filtered = reader.at
    reader.step("GlobalAveragePool")
    squeeze = reader.conv_swish()
    excite = reader.convolution()
    reader.step("Sigmoid")
    reader.join("Mul", filtered)
    project = reader.convolution()
    skip = reader.next_is("Add")
    if skip:
        reader.join("Add", start)
    return Block(expand, depthwise, squeeze, excite, project, kernel, stride, skip)


def _heads(reader: GraphReader) -> tuple[Filters, list[list[float]]]:
    """All heads as one dense layer, and for each head the angles of its bins in degrees."""
    features, rows, biases, degrees, angles = reader.at, [], [], [], []
    while reader.next_is("Gemm"):
        reader.at = features
        weight, bias = reader.weighted("Gemm", 2, transB=1)
        reader.step("Softmax", axis=1)
        (bins,) = reader.weighted("MatMul")
        if bins.shape != (len(bias), 1):
            raise OtherGraphError(f"{reader.at!r} is not an expected angle")
        degrees.append(bins.ravel().tolist())
        rows.append(weight)
        biases.append(bias)
        angles.append(reader.at)
    reader.at, *others = angles or [features]
    reader.step("Concat", *others, axis=1)
    reader.end("degrees")
    return Filters(np.concatenate(rows), np.concatenate(biases)), degrees
