"""WHENet (Zhou and Gregson, BMVC 2020, https://arxiv.org/abs/2005.10353): EfficientNet-B0 and three heads of bins.

The published file is an HDF5 file of Keras with weights only. Its layers are numbered in the order of the network, so
they are read one after the other while the architecture is built (Tan and Le, 2019, https://arxiv.org/abs/1905.11946,
table 1).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facesieve.errors import ModelError
from facesieve.models.convert.batch_norm import fold
from facesieve.models.convert.ends import crops, degrees
from facesieve.models.onnx_writer import Array, Graph
from facesieve.records import ANGLES, Floats32

# Of each stage: repeats, stride of the first block, expansion. The first block changes the number of channels.
STAGES = ((1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6))
EPSILON = 1e-3  # Keras' default of batch normalisation


def convert(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Convert the published WHENet.h5 to the ONNX model `whenet`.

    It maps `crops` (N, 224, 224, 3) uint8 RGB to `degrees` (N, 3) float32: pitch, yaw, roll with the signs of 300W-LP.
    Raises ModelError `model_unreadable`.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(sources["WHENet.h5"]), "r") as file:
            return {"whenet": _network(KerasFile(file))}
    except (OSError, KeyError) as error:
        raise ModelError("model_unreadable", "This is not the published WHENet.h5.") from error


@dataclass
class KerasFile:
    """Reads the weights of a network layer by layer. Each method returns those of the next layer of its kind.

    file: an open HDF5 file. read: how many layers of each kind were read.
    """

    file: Any
    read: dict[str, int] = field(default_factory=dict)

    def _next(self, kind: str, *names: str) -> list[Floats32]:
        number = self.read[kind] = self.read.get(kind, 0) + 1
        layer = self.file[f"{kind}_{number}/{kind}_{number}"]
        return [np.asarray(layer[f"{name}:0"], np.float32) for name in names]

    def conv(self) -> Floats32:
        """Weights (O, I, h, w) of a convolution without a bias."""
        (kernel,) = self._next("conv2d", "kernel")
        return kernel.transpose(3, 2, 0, 1)

    def conv_with_bias(self) -> tuple[Floats32, Floats32]:
        """Weights (O, I, h, w) and bias (O,) of a convolution."""
        kernel, bias = self._next("conv2d", "kernel", "bias")
        return kernel.transpose(3, 2, 0, 1), bias

    def depthwise(self) -> Floats32:
        """Weights (O, 1, h, w) of a depthwise convolution."""
        (kernel,) = self._next("depthwise_conv2d", "depthwise_kernel")
        return kernel.transpose(2, 3, 0, 1)

    def normalised(self, kernel: Floats32) -> tuple[Array, Array]:
        """The convolution and the next batch normalisation as one convolution: weight and bias."""
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        return fold(kernel, self._next("batch_normalization", *names), EPSILON)

    def dense(self, name: str) -> tuple[str, Floats32, Floats32]:
        """Name, weights (bins, features) and bias (bins,) of the head of that name."""
        layer = self.file[f"{name}_new/{name}_new"]
        return name, np.asarray(layer["kernel:0"], np.float32).T, np.asarray(layer["bias:0"], np.float32)


def _network(weights: KerasFile) -> bytes:
    graph = Graph("whenet")
    at = _conv(graph, "stem", crops(graph), *weights.normalised(weights.conv()), stride=2)
    at = _swish(graph, at)
    for number, (repeats, stride, expansion) in enumerate(STAGES, 1):
        at = _block(graph, f"stage{number}.0", at, weights, stride, expansion)
        for repeat in range(1, repeats):
            name = f"stage{number}.{repeat}"
            at = graph.node("Add", [at, _block(graph, name, at, weights, 1, expansion)], f"{name}.sum")
    at = _swish(graph, _conv(graph, "head", at, *weights.normalised(weights.conv())))
    features = graph.node("Flatten", [graph.node("GlobalAveragePool", [at], "mean.cells")], "features")
    degrees(graph, features, [weights.dense(name) for name in ANGLES])
    return graph.tobytes()


def _block(graph: Graph, name: str, at: str, weights: KerasFile, stride: int, expansion: int) -> str:
    """Add a mobile inverted bottleneck with squeeze and excitation, and return the name of its output."""
    if expansion > 1:
        at = _swish(graph, _conv(graph, f"{name}.expand", at, *weights.normalised(weights.conv())))
    kernel, bias = weights.normalised(weights.depthwise())
    at = _swish(graph, _conv(graph, f"{name}.depthwise", at, kernel, bias, stride, groups=len(bias)))
    squeeze = graph.node("GlobalAveragePool", [at], f"{name}.mean")
    squeeze = _swish(graph, _conv(graph, f"{name}.squeeze", squeeze, *weights.conv_with_bias()))
    excite = _conv(graph, f"{name}.excite", squeeze, *weights.conv_with_bias())
    gate = graph.node("Sigmoid", [excite], f"{name}.gate")
    at = graph.node("Mul", [at, gate], f"{name}.gated")
    return _conv(graph, f"{name}.project", at, *weights.normalised(weights.conv()))


def _conv(graph: Graph, name: str, at: str, kernel: Array, bias: Array, stride: int = 1, groups: int = 1) -> str:
    inputs = [at, graph.weight(f"{name}.weight", kernel), graph.weight(f"{name}.bias", bias)]
    size = kernel.shape[2:]
    return graph.node(
        "Conv",
        inputs,
        f"{name}.out",
        auto_pad="SAME_UPPER",
        kernel_shape=size,
        strides=[stride, stride],
        group=groups,
    )


def _swish(graph: Graph, at: str) -> str:
    return graph.node("Mul", [at, graph.node("Sigmoid", [at], f"{at}.sigmoid")], f"{at}.swish")
