"""Reads the layers of Sievepose, a chain of convolutions, from its ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facesieve.pose.graph import Filters, GraphReader, OtherGraphError
from facesieve.records import Floats32

# What follows the angles: their spread, the standard deviation over the bins.
_SPREAD = ("Mul", "ReduceSum", "Mul", "Sub", "Relu", "Sqrt")


@dataclass(frozen=True, slots=True)
class Chain:
    """All layers of the network.

    mean, deviation: of red, green and blue; the network sees (crop - mean) / deviation. convolutions: each followed by
    ReLU, weight (filters, channels, 3, 3). bins: the dense layer of the bins of all heads, head after head.
    degrees: (heads, bins) float32, the angle of each bin.
    """

    mean: list[float]
    deviation: list[float]
    convolutions: list[Filters]
    strides: list[int]
    bins: Filters
    degrees: Floats32


def read_chain(model: bytes) -> Chain:
    """The layers of an ONNX model as `training/pose/export.py` writes it.

    Raises OtherGraphError when the graph has another form, ModelError when the bytes are not an ONNX model.
    """
    reader = GraphReader.of(model)
    reader.step("Transpose", perm=(0, 3, 1, 2))
    reader.step("Cast", to=1)
    mean, deviation = reader.by_colour("Sub"), reader.by_colour("Div")
    convolutions, strides = [], []
    while reader.next_is("Conv"):
        kernel, stride = reader.sizes()
        convolutions.append(reader.padded(kernel, stride, pads=(1, 1, 1, 1)))
        strides.append(stride)
        reader.step("Relu")
    reader.step("GlobalAveragePool")
    bins = reader.padded(1, 1)
    reader.step("Reshape", "heads")
    reader.step("Softmax", axis=2)
    (degrees,) = reader.weighted("Mul")
    reader.step("ReduceSum", "last", keepdims=0)
    if reader.at != "degrees" or degrees.size != len(bins.bias) or not _are_spread(reader, degrees):
        raise OtherGraphError("the graph does not end with angles and their spread")
    return Chain(mean, deviation, convolutions, strides, bins, degrees.reshape(degrees.shape[-2:]))


def _are_spread(reader: GraphReader, degrees: Floats32) -> bool:
    """Whether the remaining operations compute the spread of these angles."""
    operations = tuple(node.op for node in reader.remaining)
    squares = reader.weights.get("squares")
    return (
        operations == _SPREAD
        and reader.remaining[-1].output == "spread"
        and squares is not None
        and np.array_equal(squares, degrees**2)
    )
