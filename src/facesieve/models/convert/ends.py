"""The input and the output that the graphs of all pose networks share: crops, and angles in degrees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesieve.models.onnx_writer import Graph
from facesieve.records import Floats32

SIDE = 224
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BIN_DEGREES = 3


def crops(graph: Graph) -> str:
    """Add the input `crops` (N, 224, 224, 3) uint8 RGB, and return the name of its normalised planes (N, 3, 224, 224).

    The normalisation is not folded into the first convolution, because that pads normalised planes with zeros, so
    the border would change. It comes after the transposition, because one mean per plane costs a tenth of three means
    per pixel.
    """
    pixels = graph.input("crops", np.uint8, ("N", SIDE, SIDE, 3))
    planes = graph.node("Cast", [graph.node("Transpose", [pixels], "planes", perm=[0, 3, 1, 2])], "float", to=1)
    mean = graph.weight("mean", np.array(IMAGENET_MEAN)[:, None, None] * 255)
    std = graph.weight("std", np.array(IMAGENET_STD)[:, None, None] * 255)
    return graph.node("Div", [graph.node("Sub", [planes, mean], "centred"), std], "normalised")


def degrees(graph: Graph, features: str, heads: Sequence[tuple[str, Floats32, Floats32]]) -> None:
    """Add the output `degrees` (N, len(heads)) float32: the expected angle of each head.

    features: the name of an output (N, F). heads: name, weight (B, F) and bias (B,) of each head with B bins. Bin i
    stands for 3 i - 1.5 B degrees (Ruiz et al., 2018, https://arxiv.org/abs/1710.00925).
    """
    angles = []
    for name, weight, bias in heads:
        bins = len(bias)
        inputs = [features, graph.weight(f"{name}.weight", weight), graph.weight(f"{name}.bias", bias)]
        share = graph.node("Softmax", [graph.node("Gemm", inputs, f"{name}.logits", transB=1)], f"{name}.share", axis=1)
        at = np.arange(bins, dtype=np.float64)[:, None] * BIN_DEGREES - bins * BIN_DEGREES / 2
        angles.append(graph.node("MatMul", [share, graph.weight(f"{name}.bins", at)], f"{name}.degrees"))
    graph.node("Concat", angles, "degrees", axis=1)
    graph.output("degrees", ("N", len(heads)))
