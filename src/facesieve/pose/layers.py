"""Reads the layers of a network such as WHENet from its ONNX graph.

Each operation of the graph must be the expected one. A graph that the compiled kernels cannot compute is refused, and
then runs on ONNX Runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from facesieve.models.onnx_reader import Attribute, Node, initializers, nodes
from facesieve.records import Floats32


class OtherGraphError(ValueError):
    """The compiled kernels cannot compute this graph."""


class Filters(NamedTuple):
    """The filters of one layer.

    weight: (filters, ...) float32, the taps of a filter in the kernels' order. bias: (filters,) float32.
    """

    weight: Floats32
    bias: Floats32


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
    reader = _Reader(nodes(model), initializers(model), "crops")
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


def _block(reader: _Reader, expand: Filters, start: str) -> Block:
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


def _heads(reader: _Reader) -> tuple[Filters, list[list[float]]]:
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


@dataclass
class _Reader:
    """Reads the operations of a graph in order, and checks each of them.

    remaining: the operations that were not read yet. weights: by name. at: the name of the last output, which must be
    the first input of the next operation. All methods raise OtherGraphError when the next operation is another one.
    """

    remaining: list[Node]
    weights: dict[str, Floats32]
    at: str

    def next_is(self, op: str) -> bool:
        """Whether the next operation is of this kind."""
        return bool(self.remaining) and self.remaining[0].op == op

    def step(self, op: str, *others: str, **attributes: Attribute) -> None:
        """Read the next operation, which must be this one; its inputs are the last output and `others`."""
        node = self.remaining.pop(0) if self.remaining else Node("nothing", (), "", {})
        if (node.op, node.inputs, node.attributes) != (op, (self.at, *others), attributes):
            raise OtherGraphError(f"the graph has {node.op} {node.output!r} where {op} of {self.at!r} is expected")
        self.at = node.output

    def join(self, op: str, earlier: str) -> None:
        """Read the next operation, which must be this one; its inputs are an earlier output and the last one."""
        last, self.at = self.at, earlier
        self.step(op, last)

    def weighted(self, op: str, count: int = 1, **attributes: Attribute) -> tuple[Floats32, ...]:
        """Read the next operation, which must be this one and have `count` weights, and return them."""
        names = self.remaining[0].inputs[1:] if self.remaining else ()
        if len(names) != count or any(name not in self.weights for name in names):
            raise OtherGraphError(f"the graph has no {op} with {count} weights after {self.at!r}")
        self.step(op, *names, **attributes)
        return tuple(self.weights[name] for name in names)

    def by_colour(self, op: str) -> list[float]:
        """Read an operation whose weight is one number for each colour, and return these numbers."""
        (numbers,) = self.weighted(op)
        if numbers.shape != (3, 1, 1):
            raise OtherGraphError(f"{self.at!r} is not computed by planes")
        return [float(number) for number in numbers.ravel()]

    def sizes(self) -> tuple[int, int]:
        """Kernel and stride of the next convolution, which is not read; `convolution` checks its other attributes."""
        attributes = self.remaining[0].attributes if self.remaining else {}
        match attributes.get("kernel_shape"), attributes.get("strides"):
            case (3 | 5 as kernel, *_), (1 | 2 as stride, *_):
                return kernel, stride
        raise OtherGraphError(f"the graph has no filters of 3 or 5 pixels after {self.at!r}")

    def convolution(self, kernel: int = 1, stride: int = 1, groups: int = 1) -> Filters:
        """Read a convolution with padding to the same size, and return its filters."""
        square, strides = (kernel, kernel), (stride, stride)
        weight, bias = self.weighted(
            "Conv", 2, auto_pad="SAME_UPPER", group=groups, kernel_shape=square, strides=strides
        )
        if weight.ndim != 4 or weight.shape[2:] != square or bias.shape != weight.shape[:1]:
            raise OtherGraphError(f"the weights of {self.at!r} have another shape")
        return Filters(weight, bias)

    def conv_swish(self, kernel: int = 1, stride: int = 1, groups: int = 1) -> Filters:
        """Read a convolution and the swish of its output, and return its filters."""
        filters, out = self.convolution(kernel, stride, groups), self.at
        self.step("Sigmoid")
        self.join("Mul", out)
        return filters

    def end(self, output: str) -> None:
        """Check that no operation remains, and that the last output has this name."""
        if self.remaining or self.at != output:
            raise OtherGraphError(f"the graph does not end with {output!r}")
