"""Write a trained network as the ONNX file that FaceSieve ships.

    python training/pose/export.py WEIGHTS.pt OUT.onnx [--lines '[[offset, slope], ...]']

--lines: the calibration that `evaluate.py --calibrate` prints for pitch, yaw and roll. It changes only the angles that
the bins stand for. Equal weights give equal bytes.
"""

from __future__ import annotations

import argparse
import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from network import ANGLES, BINS, DEVIATION, MEAN, Network, bins

from facesieve.models.onnx_writer import Graph
from facesieve.pose.angles import SIGNS

SIDE = 64


def graph_of(net: Network, lines: np.ndarray) -> bytes:
    """The network from `crops` (N, 64, 64, 3) uint8 RGB to `degrees` and `spread`, both (N, 3) float32.

    Angles have the signs of 300W-LP, as those of all pose networks in the catalog. `spread` is their standard
    deviation over the bins.
    """
    graph = Graph("sievepose")
    pixels = graph.input("crops", np.uint8, ("N", SIDE, SIDE, 3))
    at = graph.node("Cast", [graph.node("Transpose", [pixels], "planes", perm=[0, 3, 1, 2])], "float", to=1)
    at = graph.node("Sub", [at, graph.weight("mean", np.full((3, 1, 1), MEAN))], "centred")
    at = graph.node("Div", [at, graph.weight("std", np.full((3, 1, 1), DEVIATION))], "normalised")
    for number, layer in enumerate(net.layers, 1):
        weight, bias = layer.folded()
        inputs = [at, graph.weight(f"conv{number}.weight", weight), graph.weight(f"conv{number}.bias", bias)]
        sizes = {"kernel_shape": [3, 3], "strides": [layer.stride] * 2, "pads": [1, 1, 1, 1]}
        at = graph.node("Relu", [graph.node("Conv", inputs, f"conv{number}", **sizes)], f"relu{number}")
    # As a convolution, because ONNX Runtime rounds a matrix product differently with other numbers of crops.
    weight, bias = net.heads.weight.detach().numpy()[..., None, None], net.heads.bias.detach().numpy()
    inputs = [graph.node("GlobalAveragePool", [at], "features"), graph.weight("bins.weight", weight)]
    inputs = [*inputs, graph.weight("bins.bias", bias)]
    logits = graph.node("Conv", inputs, "logits", kernel_shape=[1, 1], strides=[1, 1])
    heads = graph.weight("heads", np.array([-1, len(ANGLES), BINS]))
    share = graph.node("Softmax", [graph.node("Reshape", [logits, heads], "by.head")], "share", axis=2)
    angles = (SIGNS[:, None] * (lines[:, :1] + lines[:, 1:] * bins().numpy())).astype(np.float32)
    last = graph.weight("last", np.array([2]))
    first = graph.node("Mul", [share, graph.weight("angles", angles)], "weighted")
    mean = graph.node("ReduceSum", [first, last], "degrees", keepdims=0)
    second = graph.node("Mul", [share, graph.weight("squares", angles**2)], "weighted.squares")
    second = graph.node("ReduceSum", [second, last], "mean.square", keepdims=0)
    variance = graph.node("Sub", [second, graph.node("Mul", [mean, mean], "square.mean")], "variance")
    graph.node("Sqrt", [graph.node("Relu", [variance], "positive")], "spread")
    for name in ("degrees", "spread"):
        graph.output(name, ("N", len(ANGLES)))
    return graph.tobytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lines", type=json.loads, default=[[0, 1]] * 3)
    options = parser.parse_args()
    net = Network().eval()
    net.load_state_dict(torch.load(options.weights))
    data = graph_of(net, np.array(options.lines, float))
    options.out.write_bytes(data)
    print(f"{options.out}: {len(data)} bytes, sha256 {sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
