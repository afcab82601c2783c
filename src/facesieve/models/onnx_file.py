"""ONNX files, written and read field by field.

Why not the `onnx` package: a converted file must be the same bytes on every machine, so that the catalog can pin its
sha256, and a serializer that we do not own may change them with any release. What is needed is small: five messages.
Field numbers: onnx/onnx.proto of https://github.com/onnx/onnx; wire format: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from facesieve.errors import ModelError
from facesieve.records import Floats32

Array = npt.NDArray[np.generic]
Attribute = int | float | str | Sequence[int]
Shape = Sequence[int | str]

IR_VERSION, OPSET = 8, 17
TYPES = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.int64): 7}
FLOAT = b"\1"  # how a tensor says that it is float32
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass
class Graph:
    """An ONNX graph under construction: add weights and nodes in order, then take its bytes."""

    name: str
    nodes: list[bytes] = field(default_factory=list)
    weights: dict[str, bytes] = field(default_factory=dict)
    inputs: list[bytes] = field(default_factory=list)
    outputs: list[bytes] = field(default_factory=list)

    def input(self, name: str, dtype: npt.DTypeLike, shape: Shape) -> str:
        """Declare an input; a string in `shape` is a free dimension."""
        self.inputs.append(_value(name, np.dtype(dtype), shape))
        return name

    def output(self, name: str, shape: Shape) -> None:
        """Declare a float32 output that a node already makes."""
        self.outputs.append(_value(name, np.dtype(np.float32), shape))

    def weight(self, name: str, values: Array) -> str:
        """Add a named constant; float64 is rounded once, to float32."""
        values = values.astype(np.float32) if values.dtype == np.float64 else values
        self.weights[name] = _tensor(name, values)
        return name

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> str:
        """Add one operation and give the name of what it makes."""
        self.nodes.append(
            b"".join(_field(1, name.encode()) for name in inputs)
            + _field(2, output.encode())
            + _field(3, output.encode())
            + _field(4, op.encode())
            + b"".join(_field(5, _attribute(key, value)) for key, value in sorted(attributes.items()))
        )
        return output

    def tobytes(self) -> bytes:
        """The finished ONNX model."""
        graph = (
            b"".join(_field(1, node) for node in self.nodes)
            + _field(2, self.name.encode())
            + b"".join(_field(5, weight) for weight in self.weights.values())
            + b"".join(_field(11, value) for value in self.inputs)
            + b"".join(_field(12, value) for value in self.outputs)
        )
        return _field(1, IR_VERSION) + _field(2, b"facesieve") + _field(7, graph) + _field(8, _field(2, OPSET))


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph. attributes: integers, strings and sequences of integers by name; no others."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Attribute]


def nodes(model: bytes) -> list[Node]:
    """The operations of an ONNX model, in order.

    Raises ModelError `model_unreadable` when the bytes are no ONNX model.
    """
    with _readable():
        return [_read_node(node) for node in _of_graph(model, 1)]


def initializers(model: bytes) -> dict[str, Floats32]:
    """The float32 weights of an ONNX model, by name.

    Raises ModelError `model_unreadable` when the bytes are no ONNX model.
    """
    with _readable():
        return dict(_read_tensor(tensor) for tensor in _of_graph(model, 5) if _holds_floats(tensor))


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (IndexError, ValueError, TypeError, struct.error) as error:
        raise ModelError("model_unreadable", "This is not an ONNX model.") from error


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


def _of_graph(model: bytes, wanted: int) -> list[memoryview]:
    """The fields of that number of a model's graph."""
    graphs = [value for number, value in _fields(memoryview(model)) if number == 7]
    return [value for graph in graphs for number, value in _fields(graph) if number == wanted]


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and payload of each field, not copied; a varint's payload is its own encoding."""
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        start = at
        match key & 7:
            case 0:
                _, at = _read_varint(message, at)
            case 1:
                at += 8
            case 2:
                size, start = _read_varint(message, at)
                at = start + size
            case 5:
                at += 4
            case _:
                raise ValueError("wire type")
        if at > len(message):
            raise ValueError("cut short")
        yield key >> 3, message[start:at]


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _read_node(node: memoryview) -> Node:
    op, inputs, output, attributes = "", [], "", {}
    for number, payload in _fields(node):
        match number:
            case 1:
                inputs.append(_text(payload))
            case 2:
                output = _text(payload)
            case 4:
                op = _text(payload)
            case 5:
                name, value = _read_attribute(payload)
                attributes[name] = value
    return Node(op, tuple(inputs), output, attributes)


def _read_attribute(attribute: memoryview) -> tuple[str, Attribute]:
    name, whole, text, many, kind = "", 0, "", [], 0
    for number, payload in _fields(attribute):
        match number:
            case 1:
                name = _text(payload)
            case 3:
                whole = _read_varint(payload, 0)[0]
            case 4:
                text = _text(payload)
            case 8:
                many.append(_read_varint(payload, 0)[0])
            case 20:
                kind = _read_varint(payload, 0)[0]
    values: dict[int, Attribute] = {2: whole, 3: text, 7: tuple(many)}
    return name, values.get(kind, "of another kind")


def _text(payload: memoryview) -> str:
    return bytes(payload).decode()


def _holds_floats(tensor: memoryview) -> bool:
    return any(number == 2 and payload == FLOAT for number, payload in _fields(tensor))


def _read_tensor(tensor: memoryview) -> tuple[str, Floats32]:
    name, dims, values = "", [], np.empty(0, np.float32)
    for number, payload in _fields(tensor):
        match number:
            case 1:
                dims.append(_read_varint(payload, 0)[0])
            case 4 | 9:
                values = np.frombuffer(payload, "<f4").copy()  # which is aligned
            case 8:
                name = _text(payload)
    return name, values.reshape(dims)
