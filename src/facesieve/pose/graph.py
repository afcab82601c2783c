"""Reads the operations of a pose network's ONNX graph in order.

Each operation must be the expected one. A graph that the compiled kernels cannot compute is refused, and then runs on
ONNX Runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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


@dataclass
class GraphReader:
    """Reads the operations of a graph in order, and checks each of them.

    remaining: the operations that were not read yet. weights: by name. at: the name of the last output, which must be
    the first input of the next operation. All methods raise OtherGraphError when the next operation is another one.
    """

    remaining: list[Node]
    weights: dict[str, Floats32]
    at: str

    @classmethod
    def of(cls, model: bytes) -> GraphReader:
        """A reader at the input `crops`. Raises ModelError when the bytes are not an ONNX model."""
        return cls(nodes(model), initializers(model), "crops")

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
        return self.padded(kernel, stride, auto_pad="SAME_UPPER", group=groups)

    def padded(self, kernel: int, stride: int, **padding: Attribute) -> Filters:
        """Read a convolution and return its filters. Its kernel, stride and padding are checked."""
        square, strides = (kernel, kernel), (stride, stride)
        weight, bias = self.weighted("Conv", 2, kernel_shape=square, strides=strides, **padding)
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
