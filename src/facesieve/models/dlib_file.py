"""Reads the layers of a network that dlib serialised, without dlib.

An integer is one byte of sign and length, then its little-endian bytes; a layer's parameters are a tensor of raw
little-endian float32. The format is that of `serialize` in https://github.com/davisking/dlib (dlib/serialize.h,
dlib/dnn/layers.h, dlib/cuda/tensor.h).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from facesieve.errors import ModelError
from facesieve.records import Floats32

_MOST = 1 << 26  # values of one tensor; the largest network of this kind has fewer in all


@dataclass(frozen=True, slots=True)
class Convolution:
    """weight: (filters, channels, height, width) float32. bias: (filters,) float32."""

    weight: Floats32
    bias: Floats32
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Affine:
    """One factor and one offset for each channel: (channels,) float32 each."""

    gamma: Floats32
    beta: Floats32


@dataclass(frozen=True, slots=True)
class FullyConnected:
    """weight: (inputs, outputs) float32; no bias."""

    weight: Floats32


Layer = Convolution | Affine | FullyConnected


def layers(data: bytes) -> Iterator[Layer]:
    """The layers that have parameters, from the input to the output.

    Raises ModelError `model_unreadable` where the bytes are not such a network.
    """
    at = 0
    readers: dict[bytes, Callable[[_Reader], Layer]] = {
        b"\x01\x05con_4": _convolution,
        b"\x01\x07affine_": _affine,
        b"\x01\x04fc_2": _fully_connected,
    }
    try:
        while True:
            positions = {tag: data.find(tag, at) for tag in readers}
            found = {tag: position for tag, position in positions.items() if position >= 0}
            if not found:
                return
            tag = min(found, key=found.__getitem__)
            reader = _Reader(data, found[tag] + len(tag))
            yield readers[tag](reader)
            at = reader.at
    except (IndexError, ValueError) as error:
        raise ModelError("model_unreadable", "This is not a network that dlib serialised.") from error


class _Reader:
    """Reads values one after the other, from `at` on."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self.at = data, at

    def integer(self) -> int:
        head = self._data[self.at]
        size = head & 0x0F
        if not 0 < size <= 8 or head & 0x70:
            raise ValueError("not an integer")
        value = int.from_bytes(self._take(1 + size)[1:], "little")
        return -value if head & 0x80 else value

    def integers(self, count: int) -> list[int]:
        return [self.integer() for _ in range(count)]

    def tensor(self) -> Floats32:
        """(samples, channels, height, width)"""
        version, *shape = self.integers(5)
        count = int(np.prod(shape, dtype=np.int64))
        if version != 2 or min(shape) < 0 or count > _MOST:
            raise ValueError("not a tensor")
        return np.frombuffer(self._take(4 * count), "<f4").reshape(shape)

    def part(self) -> tuple[int, ...]:
        """The shape of a part of the tensor of parameters; parts follow one another."""
        version, *shape = self.integers(5)
        if version != 1:
            raise ValueError("not a part of a tensor")
        return tuple(shape)

    def _take(self, count: int) -> bytes:
        taken = self._data[self.at : self.at + count]
        if len(taken) < count:
            raise IndexError("cut short")
        self.at += count
        return taken


def _convolution(reader: _Reader) -> Convolution:
    values = reader.tensor().ravel()
    filters, _, _, stride_y, stride_x, padding_y, padding_x = reader.integers(7)
    shape, bias = reader.part(), reader.part()
    size = int(np.prod(shape))
    if shape[0] != filters or size + int(np.prod(bias)) != len(values):
        raise ValueError("not a convolution")
    return Convolution(values[:size].reshape(shape), values[size:], (stride_y, stride_x), (padding_y, padding_x))


def _affine(reader: _Reader) -> Affine:
    values = reader.tensor().ravel()
    gamma, beta = reader.part(), reader.part()
    channels = int(np.prod(gamma))
    if gamma != beta or 2 * channels != len(values):
        raise ValueError("not an affine layer")
    return Affine(values[:channels], values[channels:])


def _fully_connected(reader: _Reader) -> FullyConnected:
    outputs, inputs = reader.integers(2)
    values = reader.tensor().ravel()
    if inputs * outputs != len(values):
        raise ValueError("not a fully connected layer without bias")
    return FullyConnected(values.reshape(inputs, outputs))
