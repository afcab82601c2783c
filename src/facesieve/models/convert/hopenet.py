"""Hopenet (Ruiz, Chong and Rehg, 2018, https://arxiv.org/abs/1710.00925): ResNet-50 and three heads of 66 bins.

Architecture: He et al., 2016, https://arxiv.org/abs/1512.03385, table 1, with the stride on the 3 x 3 convolution.
"""

from __future__ import annotations

from collections.abc import Mapping

from facesieve.errors import ModelError
from facesieve.models.convert.batch_norm import fold
from facesieve.models.convert.ends import crops, degrees
from facesieve.models.onnx_writer import Graph
from facesieve.models.statedict import read_state_dict
from facesieve.records import ANGLES, Floats32

BLOCKS = (3, 4, 6, 3)
EPSILON = 1e-5  # torch's default of batch normalisation
Weights = Mapping[str, Floats32]


def convert(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Convert the authors' PyTorch state dict to the ONNX model `hopenet`.

    It maps `crops` (N, 224, 224, 3) uint8 RGB to `degrees` (N, 3) float32: pitch, yaw, roll with the signs of 300W-LP.
    The layer `fc_finetune` of the state dict is not used for inference, and is left out.
    Raises ModelError `model_unreadable` or `model_untrusted`.
    """
    (data,) = sources.values()
    weights = read_state_dict(data)
    try:
        return {"hopenet": _network(weights)}
    except (KeyError, ValueError, IndexError) as error:
        raise ModelError("model_unreadable", "This state dict is not Hopenet's.") from error


def _network(weights: Weights) -> bytes:
    graph = Graph("hopenet")
    at = _relu(graph, _conv(graph, weights, "conv1", "bn1", crops(graph), stride=2))
    at = graph.node("MaxPool", [at], "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for layer, blocks in enumerate(BLOCKS, 1):
        for block in range(blocks):
            at = _bottleneck(graph, weights, f"layer{layer}.{block}", at, stride=2 if layer > 1 and block == 0 else 1)
    features = graph.node("Flatten", [graph.node("GlobalAveragePool", [at], "mean.cells")], "features")
    heads = [(angle, weights[f"fc_{angle}.weight"], weights[f"fc_{angle}.bias"]) for angle in ANGLES]
    degrees(graph, features, heads)
    return graph.tobytes()


def _bottleneck(graph: Graph, weights: Weights, name: str, at: str, stride: int) -> str:
    out = _relu(graph, _conv(graph, weights, f"{name}.conv1", f"{name}.bn1", at))
    out = _relu(graph, _conv(graph, weights, f"{name}.conv2", f"{name}.bn2", out, stride))
    out = _conv(graph, weights, f"{name}.conv3", f"{name}.bn3", out)
    if f"{name}.downsample.0.weight" in weights:
        at = _conv(graph, weights, f"{name}.downsample.0", f"{name}.downsample.1", at, stride)
    return _relu(graph, graph.node("Add", [at, out], f"{name}.sum"))


def _conv(graph: Graph, weights: Weights, name: str, norm: str, at: str, stride: int = 1) -> str:
    normalisation = [weights[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    kernel, bias = fold(weights[f"{name}.weight"], normalisation, EPSILON)
    side = kernel.shape[-1]
    inputs = [at, graph.weight(f"{name}.weight", kernel), graph.weight(f"{name}.bias", bias)]
    padding = [side // 2] * 4
    return graph.node("Conv", inputs, f"{name}.out", kernel_shape=[side, side], strides=[stride, stride], pads=padding)


def _relu(graph: Graph, at: str) -> str:
    return graph.node("Relu", [at], f"{at}.relu")
