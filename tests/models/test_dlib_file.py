"""Networks that dlib serialised are read as data."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.errors import ModelError
from facesieve.models.dlib_file import Affine, Convolution, FullyConnected, layers


def integer(value: int) -> bytes:
    """As dlib writes it: sign and number of bytes, then the bytes."""
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def integers(*values: int) -> bytes:
    return b"".join(map(integer, values))


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode()


def tensor(values: np.ndarray) -> bytes:
    return integers(2, len(values), 1, 1, 1) + values.astype("<f4").tobytes()


def convolution(weight: np.ndarray, bias: np.ndarray, stride: int = 1, padding: int = 0) -> bytes:
    filters, _, height, width = weight.shape
    parts = integers(1, *weight.shape) + integers(1, 1, filters, 1, 1)
    sizes = integers(filters, height, width, stride, stride, padding, padding)
    return text("con_4") + tensor(np.concatenate([weight.ravel(), bias])) + sizes + parts


def affine(gamma: np.ndarray, beta: np.ndarray) -> bytes:
    part = integers(1, 1, len(gamma), 1, 1)
    return text("affine_") + tensor(np.concatenate([gamma, beta])) + part + part


def connected(weight: np.ndarray) -> bytes:
    inputs, outputs = weight.shape
    return text("fc_2") + integers(outputs, inputs) + tensor(weight.ravel())


def test_layers_are_read_in_their_order_with_their_numbers() -> None:
    weight = np.arange(2 * 3 * 5 * 4, dtype=np.float32).reshape(2, 3, 5, 4)
    dense = np.arange(6, dtype=np.float32).reshape(2, 3) / 7
    data = (
        b"\1\1head"
        + convolution(weight, np.float32([-1, 300]), stride=2, padding=1)
        + b"between"
        + affine(np.float32([1, 2]), np.float32([3, 4]))
        + connected(dense)
        + b"tail"
    )
    conv, norm, last = layers(data)
    assert isinstance(conv, Convolution) and conv.stride == (2, 2) and conv.padding == (1, 1)
    assert np.array_equal(conv.weight, weight) and conv.bias.tolist() == [-1, 300]
    assert isinstance(norm, Affine) and norm.gamma.tolist() == [1, 2] and norm.beta.tolist() == [3, 4]
    assert isinstance(last, FullyConnected) and np.array_equal(last.weight, dense)


def test_bytes_without_layers_have_none() -> None:
    assert list(layers(b"")) == [] and list(layers(b"no network at all")) == []


def test_what_is_cut_short_or_damaged_is_told_and_costs_no_memory() -> None:
    whole = convolution(np.ones((2, 1, 1, 1), np.float32), np.ones(2, np.float32))
    for length in range(len(text("con_4")), len(whole)):
        with pytest.raises(ModelError) as error:
            list(layers(whole[:length]))
        assert error.value.code == "model_unreadable"
    huge = text("con_4") + integers(2, 1 << 40, 1 << 20, 1, 1)
    with pytest.raises(ModelError):
        list(layers(huge))
    negative = text("con_4") + integers(2, -1, 1, 1, 1)
    with pytest.raises(ModelError):
        list(layers(negative))
