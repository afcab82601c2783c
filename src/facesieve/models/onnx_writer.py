"""Writes ONNX files field by field.

The `onnx` package is not used, because it may write other bytes with any release. The catalog pins the sha256 of
converted files, so they must have the same bytes on every machine. Only five kinds of messages are needed.
Field numbers: onnx/onnx.proto of https://github.com/onnx/onnx. Wire format:
https://protobuf.dev/programming-guides/encoding. `onnx_reader` reads the same files.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Attribute = int | float | str | Sequence[int]
Shape = Sequence[int | str]

IR_VERSION, OPSET = 8, 17
TYPES = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.int64): 7}
VARINT, BYTES, FIXED32 = 0, 2, 5  # wire types


@dataclass
class Graph:
    """An ONNX graph under construction: add inputs, weights and nodes in order, then call `tobytes`.

    The lists hold messages that are encoded already.
    """

    name: str
    nodes: list[bytes] = field(default_factory=list)
    weights: dict[str, bytes] = field(default_factory=dict)
    inputs: list[bytes] = field(default_factory=list)
    outputs: list[bytes] = field(default_factory=list)

    def input(self, name: str, dtype: npt.DTypeLike, shape: Shape) -> str:
        """Declare an input, and return its name. A string in `shape` names a dimension of any size."""
        self.inputs.append(_value(name, np.dtype(dtype), shape))
        return name

    def output(self, name: str, shape: Shape) -> None:
        """Declare a float32 output, which a node computes, under its name."""
        self.outputs.append(_value(name, np.dtype(np.float32), shape))

    def weight(self, name: str, values: Array) -> str:
        """Add a named constant, and return its name. float64 is rounded to float32."""
        values = values.astype(np.float32) if values.dtype == np.float64 else values
        self.weights[name] = _tensor(name, values)
        return name

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> str:
        """Add one operation, and return the name of its output."""
        self.nodes.append(
            b"".join(_field(1, name.encode()) for name in inputs)
            + _field(2, output.encode())
            + _field(3, output.encode())
            + _field(4, op.encode())
            + b"".join(_field(5, _attribute(key, value)) for key, value in sorted(attributes.items()))
        )
        return output

    def tobytes(self) -> bytes:
        """The finished ONNX model; the same graph always has the same bytes."""
        graph = (
            b"".join(_field(1, node) for node in self.nodes)
            + _field(2, self.name.encode())
            + b"".join(_field(5, weight) for weight in self.weights.values())
            + b"".join(_field(11, value) for value in self.inputs)
            + b"".join(_field(12, value) for value in self.outputs)
        )
        return _field(1, IR_VERSION) + _field(2, b"facesieve") + _field(7, graph) + _field(8, _field(2, OPSET))


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: int | float | bytes) -> bytes:
    if isinstance(value, bytes):
        return _varint(number << 3 | BYTES) + _varint(len(value)) + value
    if isinstance(value, float):
        return _varint(number << 3 | FIXED32) + struct.pack("<f", value)
    return _varint(number << 3 | VARINT) + _varint(value)


def _tensor(name: str, values: Array) -> bytes:
    dims = b"".join(_field(1, size) for size in values.shape)
    raw = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return dims + _field(2, TYPES[values.dtype]) + _field(8, name.encode()) + _field(9, raw)


def _attribute(name: str, value: Attribute) -> bytes:
    match value:
        case int():
            body, kind = _field(3, value), 2
        case float():
            body, kind = _field(2, value), 1
        case str():
            body, kind = _field(4, value.encode()), 3
        case _:
            body, kind = b"".join(_field(8, item) for item in value), 7
    return _field(1, name.encode()) + body + _field(20, kind)


def _value(name: str, dtype: np.dtype[np.generic], shape: Shape) -> bytes:
    dims = [_field(2, size.encode()) if isinstance(size, str) else _field(1, size) for size in shape]
    tensor = _field(1, TYPES[dtype]) + _field(2, b"".join(_field(1, dim) for dim in dims))
    return _field(1, name.encode()) + _field(2, _field(1, tensor))
