"""Reads the weights of ONNX files, field by field, without the `onnx` package.

Field numbers and wire format: see `onnx_writer`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from facesieve.errors import ModelError
from facesieve.records import Floats32

FLOAT = b"\1"  # the data type of a tensor of float32


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
                name = bytes(payload).decode()
    return name, values.reshape(dims)
