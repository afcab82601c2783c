"""The layers of a network such as WHENet, read from its ONNX graph.

The graph is read operation by operation, and each operation must be the expected one. A graph that the compiled kernels
would not compute exactly is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from facesieve.models.onnx_file import Attribute, Node, initializers, nodes
from facesieve.records import Floats32


class OtherGraphError(ValueError):
    """The graph is not one that the compiled kernels compute."""


class Filters(NamedTuple):
    """weight: (filters, ...) with the taps of one filter in the kernels' order; bias: (filters,)."""

    weight: Floats32
    bias: Floats32


class Block(NamedTuple):
    """A mobile inverted bottleneck (Tan and Le, 2019, https://arxiv.org/abs/1905.11946).

    kernel, stride: of the depthwise filters. skip: whether the block's input is added to its output.
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
    """mean, deviation: by colour. heads: by head, the angle of each bin in degrees."""

    mean: list[float]
    deviation: list[float]
    blocks: list[Block]
    features: Filters
    logits: Filters
    heads: list[list[float]]


def layers(model: bytes) -> PoseLayers:
    """The layers of an ONNX model as `models.convert.whenet` writes it; the first block's expansion is the stem.

    Raises OtherGraphError when the graph has another form, ModelError when the bytes are no ONNX model.
    """
    walk = _Walk(nodes(model), initializers(model), "crops")
    walk.step("Transpose", perm=(0, 3, 1, 2))
    walk.step("Cast", to=1)
    mean, deviation = walk.by_colour("Sub"), walk.by_colour("Div")
    blocks, expand = [], walk.conv_swish(kernel=3, stride=2)
    by_row = np.ascontiguousarray(expand.weight.transpose(0, 2, 3, 1))  # taps by row, column, colour
    expand = Filters(by_row, expand.bias)
    start = ""  # the stem's input is no map, so that it cannot be added
    while not walk.meets("GlobalAveragePool"):
        blocks.append(_block(walk, expand, start))
        start, expand = walk.at, walk.conv_swish()
    walk.step("GlobalAveragePool")
    walk.step("Flatten")
    logits, heads = _heads(walk)
    return PoseLayers(mean, deviation, blocks, expand, logits, heads)


def _block(walk: _Walk, expand: Filters, start: str) -> Block:
    """One block after its expansion. start: the name of the expansion's input."""
    channels = len(expand.bias)
    kernel, stride = walk.sizes()
    depthwise = walk.conv_swish(kernel, stride, channels)
    filtered = walk.at
    walk.step("GlobalAveragePool")
    squeeze = walk.conv_swish()
    excite = walk.convolution()
    walk.step("Sigmoid")
    walk.join("Mul", filtered)
    project = walk.convolution()
    skip = walk.meets("Add")
    if skip:
        walk.join("Add", start)
    return Block(expand, depthwise, squeeze, excite, project, kernel, stride, skip)


def _heads(walk: _Walk) -> tuple[Filters, list[list[float]]]:
    """All rows of bins as one dense layer, and the angles of the bins."""
    features, rows, biases, degrees, angles = walk.at, [], [], [], []
    while walk.meets("Gemm"):
        walk.at = features
        weight, bias = walk.weighted("Gemm", 2, transB=1)
        walk.step("Softmax", axis=1)
        (bins,) = walk.weighted("MatMul")
        if bins.shape != (len(bias), 1):
            raise OtherGraphError(f"{walk.at!r} is not an expected angle")
        degrees.append(bins.ravel().tolist())
        rows.append(weight)
        biases.append(bias)
        angles.append(walk.at)
    walk.at, *others = angles or [features]
    walk.step("Concat", *others, axis=1)
    walk.end("degrees")
    return Filters(np.concatenate(rows), np.concatenate(biases)), degrees


@dataclass
class _Walk:
    """Reads the operations in order. at: the name of the value that the next one must have as its first input."""

    ahead: list[Node]
    weights: dict[str, Floats32]
    at: str

    def meets(self, op: str) -> bool:
        return bool(self.ahead) and self.ahead[0].op == op

    def step(self, op: str, *others: str, **attributes: Attribute) -> None:
        """Take the next operation, which must be this one. Its inputs: the current value and `others`."""
        node = self.ahead.pop(0) if self.ahead else Node("nothing", (), "", {})
        if (node.op, node.inputs, node.attributes) != (op, (self.at, *others), attributes):
            raise OtherGraphError(f"the graph has {node.op} {node.output!r} where {op} of {self.at!r} is expected")
        self.at = node.output

    def join(self, op: str, earlier: str) -> None:
        """Take the next operation, which must be this one. Its inputs: an earlier value and the current one."""
        now, self.at = self.at, earlier
        self.step(op, now)

    def weighted(self, op: str, count: int = 1, **attributes: Attribute) -> tuple[Floats32, ...]:
        """Take the next operation, which must have `count` weights, and return them."""
        names = self.ahead[0].inputs[1:] if self.ahead else ()
        if len(names) != count or any(name not in self.weights for name in names):
            raise OtherGraphError(f"the graph has no {op} with {count} weights after {self.at!r}")
        self.step(op, *names, **attributes)
        return tuple(self.weights[name] for name in names)

    def by_colour(self, op: str) -> list[float]:
        """Take an operation with a number for each colour plane."""
        (numbers,) = self.weighted(op)
        if numbers.shape != (3, 1, 1):
            raise OtherGraphError(f"{self.at!r} is not computed by planes")
        return [float(number) for number in numbers.ravel()]

    def sizes(self) -> tuple[int, int]:
        """Kernel and stride of the next convolution; `convolution` checks its other attributes."""
        attributes = self.ahead[0].attributes if self.ahead else {}
        match attributes.get("kernel_shape"), attributes.get("strides"):
            case (3 | 5 as kernel, *_), (1 | 2 as stride, *_):
                return kernel, stride
        raise OtherGraphError(f"the graph has no filters of 3 or 5 pixels after {self.at!r}")

    def convolution(self, kernel: int = 1, stride: int = 1, groups: int = 1) -> Filters:
        square, strides = (kernel, kernel), (stride, stride)
        weight, bias = self.weighted(
            "Conv", 2, auto_pad="SAME_UPPER", group=groups, kernel_shape=square, strides=strides
        )
        if weight.ndim != 4 or weight.shape[2:] != square or bias.shape != weight.shape[:1]:
            raise OtherGraphError(f"the weights of {self.at!r} have another shape")
        return Filters(weight, bias)

    def conv_swish(self, kernel: int = 1, stride: int = 1, groups: int = 1) -> Filters:
        """A convolution and the swish of its output."""
        filters, out = self.convolution(kernel, stride, groups), self.at
        self.step("Sigmoid")
        self.join("Mul", out)
        return filters

    def end(self, output: str) -> None:
        if self.ahead or self.at != output:
            raise OtherGraphError(f"the graph does not end with {output!r}")
