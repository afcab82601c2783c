"""WHENet (Zhou and Gregson, BMVC 2020, https://arxiv.org/abs/2005.10353): EfficientNet-B0 and three rows of bins.

The published file is Keras HDF5 with weights only, its layers numbered in the order of the network, so a walk
through the architecture (Tan and Le, 2019, https://arxiv.org/abs/1905.11946, table 1) meets them one by one.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facesieve.errors import ModelError
from facesieve.models.convert.ends import crops, degrees
from facesieve.models.onnx_file import Array, Graph
from facesieve.records import ANGLES, Floats32

# repeats, stride of the first, expansion; every stage changes the number of channels
STAGES = ((1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6))
EPSILON = 1e-3  # Keras' default of batch normalisation


def convert(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """The published WHENet.h5 to the ONNX model `whenet`.

    It takes `crops` (N, 224, 224, 3) uint8 RGB and gives `degrees` (N, 3) float32: pitch, yaw, roll with the signs of
    300W-LP.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(sources["WHENet.h5"]), "r") as file:
            return {"whenet": _network(Layers(file))}
    except (OSError, KeyError) as error:
        raise ModelError("model_unreadable", "This is not the published WHENet.h5.") from error


@dataclass
class Layers:
    """Hands out the weights of the next layer of a kind."""

    file: Any
    met: dict[str, int] = field(default_factory=dict)

    def _next(self, kind: str, *names: str) -> list[Floats32]:
        number = self.met[kind] = self.met.get(kind, 0) + 1
        layer = self.file[f"{kind}_{number}/{kind}_{number}"]
        return [np.asarray(layer[f"{name}:0"], np.float32) for name in names]

    def conv(self) -> Floats32:
        (kernel,) = self._next("conv2d", "kernel")
        return kernel.transpose(3, 2, 0, 1)

    def conv_with_bias(self) -> tuple[Floats32, Floats32]:
        kernel, bias = self._next("conv2d", "kernel", "bias")
        return kernel.transpose(3, 2, 0, 1), bias

    def depthwise(self) -> Floats32:
        (kernel,) = self._next("depthwise_conv2d", "depthwise_kernel")
        return kernel.transpose(2, 3, 0, 1)

    def normalised(self, kernel: Floats32) -> tuple[Array, Array]:
        """A convolution and the batch normalisation behind it, as one convolution."""
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        return fold(kernel, self._next("batch_normalization", *names), EPSILON)

    def dense(self, name: str) -> tuple[str, Floats32, Floats32]:
        layer = self.file[f"{name}_new/{name}_new"]
        return name, np.asarray(layer["kernel:0"], np.float32).T, np.asarray(layer["bias:0"], np.float32)


def fold(kernel: Floats32, normalisation: Sequence[Floats32], epsilon: float) -> tuple[Array, Array]:
    """Batch normalisation folded into the convolution before it: weight (O, I, h, w) and bias (O,), float64.

    normalisation: gamma, beta, mean and variance, each (O,).
    Only correctly rounded elementwise operations, so that every machine writes the same bytes.
    """
    gamma, beta, mean, variance = normalisation
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    return kernel * scale[:, None, None, None], beta - mean * scale


def _network(layers: Layers) -> bytes:
    graph = Graph("whenet")
    at = _conv(graph, "stem", crops(graph), *layers.normalised(layers.conv()), stride=2)
    at = _swish(graph, at)
    for number, (repeats, stride, expansion) in enumerate(STAGES, 1):
        at = _block(graph, f"stage{number}.0", at, layers, stride, expansion)
        for repeat in range(1, repeats):
            name = f"stage{number}.{repeat}"
            at = graph.node("Add", [at, _block(graph, name, at, layers, 1, expansion)], f"{name}.sum")
    at = _swish(graph, _conv(graph, "head", at, *layers.normalised(layers.conv())))
    features = graph.node("Flatten", [graph.node("GlobalAveragePool", [at], "mean.cells")], "features")
    degrees(graph, features, [layers.dense(name) for name in ANGLES])
    return graph.tobytes()


def _block(graph: Graph, name: str, at: str, layers: Layers, stride: int, expansion: int) -> str:
    """Mobile inverted bottleneck with squeeze and excitation."""
    if expansion > 1:
        at = _swish(graph, _conv(graph, f"{name}.expand", at, *layers.normalised(layers.conv())))
    kernel, bias = layers.normalised(layers.depthwise())
    at = _swish(graph, _conv(graph, f"{name}.depthwise", at, kernel, bias, stride, groups=len(bias)))
    squeeze = graph.node("GlobalAveragePool", [at], f"{name}.mean")
    squeeze = _swish(graph, _conv(graph, f"{name}.squeeze", squeeze, *layers.conv_with_bias()))
    excite = _conv(graph, f"{name}.excite", squeeze, *layers.conv_with_bias())
    gate = graph.node("Sigmoid", [excite], f"{name}.gate")
    at = graph.node("Mul", [at, gate], f"{name}.gated")
    return _conv(graph, f"{name}.project", at, *layers.normalised(layers.conv()))


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
