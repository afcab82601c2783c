"""P-, R- and O-Net (Zhang et al., 2016, https://arxiv.org/abs/1604.02878) for upright RGB pictures in 0..255.

The published files expect the picture transposed, as in MATLAB, and normalised to (p - 127.5) / 128. Both are folded
into the weights. No convolution is padded, so this is exact. A kernel transposed in space computes the transposed map.
And K * ((p - 127.5) / 128) + b = (K / 128) * p + (b - 127.5 / 128 sum K).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facesieve.models.onnx_reader import initializers
from facesieve.models.onnx_writer import Graph
from facesieve.records import Floats32

MEAN, STD = 127.5, 128.0
CELLS = 3  # side of the last map of R-Net and O-Net


@dataclass(frozen=True)
class Published:
    """The names of the layers in the published file of one network.

    pools: kernel and padding of the max pool after each convolution, or None.
    """

    convs: tuple[str, ...]
    slopes: tuple[str, ...]
    pools: tuple[tuple[int, str] | None, ...]
    score: str
    regression: str
    landmarks: str = ""
    dense: str = ""


PNET = Published(
    convs=("conv2d", "conv2d_1", "conv2d_2"),
    slopes=("p_re_lu_initializer_8", "p_re_lu_1_initializer_6", "p_re_lu_2_initializer_3"),
    pools=((2, "SAME_UPPER"), None, None),
    score="conv2d_3",
    regression="conv2d_4",
)
RNET = Published(
    convs=("conv2d_5", "conv2d_6", "conv2d_7"),
    slopes=("p_re_lu_3_initializer_14", "p_re_lu_4_initializer_12", "p_re_lu_5_initializer_10"),
    pools=((3, "SAME_UPPER"), (3, "VALID"), None),
    score="dense_1",
    regression="dense_2",
    dense="dense",
)
ONET = Published(
    convs=("conv2d_8", "conv2d_9", "conv2d_10", "conv2d_11"),
    slopes=(
        "p_re_lu_7_initializer_22",
        "p_re_lu_8_initializer_20",
        "p_re_lu_9_initializer_18",
        "p_re_lu_10_initializer_16",
    ),
    pools=((3, "SAME_UPPER"), (3, "VALID"), (2, "SAME_UPPER"), None),
    score="dense_4",
    regression="dense_5",
    landmarks="dense_6",
    dense="dense_3",
)


def convert(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Convert the published pnet.onnx, rnet.onnx and onet.onnx to the ONNX models `pnet`, `rnet` and `onet`.

    The input of each is `pixels`, (N, H, W, 3) float32 RGB in 0..255, upright; H and W may have any value for pnet, and
    are 24 for rnet and 48 for onet.

    pnet returns `score` (N, h, w) and `regression` (N, h, w, 4), rnet and onet `score` (N,) and `regression` (N, 4).
    score: the probability of a face. regression: offsets of x1, y1, x2, y2 as shares of the box's sides.
    onet also returns `landmarks`, (N, 10): x1..x5, y1..y5 as shares of the box's sides.

    Weights are named conv1.weight (O, I, h, w), conv1.bias, prelu1.slope (O, 1, 1), ..., dense.weight (O, c * y * x),
    dense.bias, dense.slope, score.weight (for the logit of a face), regression.weight, landmarks.weight.
    """
    weights = {name: initializers(data) for name, data in sources.items()}
    return {
        "pnet": _pnet(weights["pnet.onnx"]),
        "rnet": _cropped("rnet", 24, RNET, weights["rnet.onnx"]),
        "onet": _cropped("onet", 48, ONET, weights["onet.onnx"]),
    }


def _pnet(weights: Mapping[str, Floats32]) -> bytes:
    graph = Graph("pnet")
    features = _features(graph, PNET, weights, graph.input("pixels", np.float32, ("N", "H", "W", 3)))
    kernel, bias = _layer(weights, PNET.score)
    score = _conv(graph, "score", features, _difference(kernel), _difference(bias))
    score = _probability(graph, score)
    graph.node("Squeeze", [score, graph.weight("channel", np.array([1]))], "score")
    regression = _conv(graph, "regression", features, *_layer(weights, PNET.regression))
    graph.node("Transpose", [regression], "regression", perm=[0, 2, 3, 1])
    graph.output("score", ("N", "h", "w"))
    graph.output("regression", ("N", "h", "w", 4))
    return graph.tobytes()


def _cropped(name: str, side: int, published: Published, weights: Mapping[str, Floats32]) -> bytes:
    """R-Net or O-Net, whose last map is flattened and followed by dense layers."""
    graph = Graph(name)
    features = _features(graph, published, weights, graph.input("pixels", np.float32, ("N", side, side, 3)))
    kernel, bias = _layer(weights, published.dense)
    upright = kernel.reshape(CELLS, CELLS, -1, len(bias)).transpose(3, 2, 1, 0)  # x, y, channel, out
    flat = graph.node("Flatten", [features], "flat")
    dense = _gemm(graph, "dense", flat, upright.reshape(len(bias), -1), bias)
    dense = graph.node("PRelu", [dense, graph.weight("dense.slope", weights["slope"])], "dense.prelu")

    kernel, bias = _layer(weights, published.score)
    score = _gemm(graph, "score", dense, _difference(kernel.T), _difference(bias))
    score = _probability(graph, score)
    graph.node("Squeeze", [score, graph.weight("column", np.array([1]))], "score")
    graph.output("score", ("N",))

    kernel, bias = _layer(weights, published.regression)
    graph.node("Identity", [_gemm(graph, "regression", dense, kernel.T, bias)], "regression")
    graph.output("regression", ("N", 4))
    if published.landmarks:
        kernel, bias = _layer(weights, published.landmarks)
        graph.node("Identity", [_gemm(graph, "landmarks", dense, kernel.T, bias)], "landmarks")
        graph.output("landmarks", ("N", 10))
    return graph.tobytes()


def _features(graph: Graph, published: Published, weights: Mapping[str, Floats32], pixels: str) -> str:
    """Add the convolutions on the upright picture, with their PReLUs and pools; return the name of the last map."""
    at = graph.node("Transpose", [pixels], "planes", perm=[0, 3, 1, 2])
    layers = zip(published.convs, published.slopes, published.pools, strict=True)
    for number, (conv, slope, pool) in enumerate(layers, 1):
        kernel, bias = _layer(weights, conv)
        kernel = kernel.transpose(0, 1, 3, 2)
        if number == 1:
            kernel, bias = _fold_normalisation(kernel, bias)
        at = _conv(graph, f"conv{number}", at, kernel, bias)
        slopes = graph.weight(f"prelu{number}.slope", weights[slope].reshape(-1, 1, 1))
        at = graph.node("PRelu", [at, slopes], f"prelu{number}")
        if pool:
            size, padding = pool
            at = graph.node(
                "MaxPool", [at], f"pool{number}", auto_pad=padding, kernel_shape=[size, size], strides=[2, 2]
            )
    return at


def _fold_normalisation(kernel: Floats32, bias: Floats32) -> tuple[Floats32, Floats32]:
    """The first convolution for pixels in 0..255. `fsum` is exact, so all machines write the same bytes."""
    sums = np.array([math.fsum(one.ravel().tolist()) for one in kernel])
    return (kernel / np.float32(STD)), (bias - sums * (MEAN / STD)).astype(np.float32)


def _probability(graph: Graph, logit: str) -> str:
    """Add 1 / (1 + exp(-logit)) as single operations, and return the name of the output.

    Near 1 the sum rounds as the published softmax does, so windows with equal scores there have equal scores here, and
    suppression keeps the same windows. `Sigmoid` is an approximation whose last bits differ between machines.
    """
    rest = graph.node("Exp", [graph.node("Neg", [logit], "score.negated")], "score.rest")
    one = graph.weight("one", np.array(1.0))
    return graph.node("Div", [one, graph.node("Add", [rest, one], "score.sum")], "probability")


def _difference(two: Floats32) -> Floats32:
    """Weights of the logit of a face: the difference of two logits (other, face), whose sigmoid is their softmax."""
    return (two[1:].astype(np.float64) - two[:1]).astype(np.float32)


def _layer(weights: Mapping[str, Floats32], name: str) -> tuple[Floats32, Floats32]:
    return weights[f"{name}/kernel:0"], weights[f"{name}/bias:0"]


def _conv(graph: Graph, name: str, at: str, kernel: Floats32, bias: Floats32) -> str:
    inputs = [at, graph.weight(f"{name}.weight", kernel), graph.weight(f"{name}.bias", bias)]
    return graph.node("Conv", inputs, f"{name}.out", kernel_shape=kernel.shape[2:])


def _gemm(graph: Graph, name: str, at: str, weight: Floats32, bias: Floats32) -> str:
    inputs = [at, graph.weight(f"{name}.weight", weight), graph.weight(f"{name}.bias", bias)]
    return graph.node("Gemm", inputs, f"{name}.out", transB=1)
