"""Reads the operations and weights of ONNX files, field by field, without the `onnx` package.

Field numbers and wire format: see `onnx_writer`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from facesieve.errors import ModelError
from facesieve.records import Floats32

Attribute = int | str | tuple[int, ...]

FLOAT = b"\1"  # the data type of a tensor of float32


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph.

    op: its ONNX name, such as `Conv`. inputs: names of values. output: the name of its first output. attributes: by
    name; one that is neither an integer, a string nor a list of integers has the value `of another kind`.
    """

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Attribute]


def nodes(model: bytes) -> list[Node]:
    """The operations of an ONNX model, in order.

    Raises ModelError `model_unreadable` when the bytes are not an ONNX model.
    """
    with _readable():
        return [_read_node(node) for node in _of_graph(model, 1)]


def initializers(model: bytes) -> dict[str, Floats32]:
    """The float32 weights of an ONNX model by name, each with its own shape.

    Raises ModelError `model_unreadable` when the bytes are not an ONNX model.
    """
    with _readable():
        return dict(_read_tensor(tensor) for tensor in _of_graph(model, 5) if _holds_floats(tensor))


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (IndexError, ValueError, TypeError) as error:
        raise ModelError("model_unreadable", "This is not an ONNX model.") from error


def _of_graph(model: bytes, wanted: int) -> list[memoryview]:
    """The payloads of all fields with that number in a model's graph."""
    graphs = [value for number, value in _fields(memoryview(model)) if number == 7]
    return [value for graph in graphs for number, value in _fields(graph) if number == wanted]


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and payload of each field, not copied; a varint's payload is its own encoding."""
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        start = at
        match key & 7:
            case 0:  # a varint
                _, at = _read_varint(message, at)
            case 1:  # 64 bits
                at += 8
            case 2:  # a length and that many bytes
                size, start = _read_varint(message, at)
                at = start + size
            case 5:  # 32 bits
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
                values = np.frombuffer(payload, "<f4").copy()  # a copy is aligned
            case 8:
                name = _text(payload)
    return name, values.reshape(dims)
