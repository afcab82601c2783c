"""Speed of P-, R- and O-Net and Sievepose against the limit of one core, on every instruction set that runs here.

    python bench/limit.py [--rounds 7] [--isa avx2]

The limit is measured in the same run: a loop of only multiply-adds on the same instruction set, and sgemm of the BLAS
behind NumPy, taking turns with the networks. CPU time of one thread; the best round counts. Operations are counted from
the definition of the network, so padding a layer to whole vectors counts as a loss.
"""

from __future__ import annotations

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import math
import re
import time
from collections.abc import Callable

import numpy as np

from facesieve.detect.native import NativeNetworks
from facesieve.detect.pyramid import scales
from facesieve.models.catalog import entry
from facesieve.models.onnx_reader import initializers
from facesieve.models.store import Store
from facesieve.native import Extension, instruction_sets
from facesieve.pose.native import NativeSievepose
from facesieve.settings import Settings

HEIGHT, WIDTH = 1080, 1920
CROPS_R, CROPS_O, HEADS, SIDE = 288, 72, 72, 1024
SIEVEPOSE = entry("sievepose").preprocessing.side or 0


Weights = dict[str, np.ndarray]


def pnet(weights: Weights, height: int, width: int) -> int:
    """Operations on one level, two per multiply-add. The regression is not counted, because few cells need it."""
    h, w = (height - 1) // 2, (width - 1) // 2  # after the pooling layer
    maps = {"conv1": (height - 2) * (width - 2), "conv2": (h - 2) * (w - 2), "conv3": (h - 4) * (w - 4)}
    maps["score"] = maps["conv3"]
    return 2 * sum(pixels * weights[f"{layer}.weight"].size for layer, pixels in maps.items())


def crop_network(weights: Weights, sides: tuple[int, ...]) -> int:
    """Operations of R-Net or O-Net on one crop. sides: of the output map of each convolution."""
    pixels = {f"conv{n}.weight": side * side for n, side in enumerate(sides, 1)}
    return 2 * sum(pixels.get(name, 1) * values.size for name, values in weights.items() if name.endswith(".weight"))


def sievepose(model: bytes) -> int:
    """Operations of Sievepose on one crop."""
    weights = initializers(model)
    side, operations = SIEVEPOSE, 2 * weights["bins.weight"].size
    for weight in (values for name, values in weights.items() if re.fullmatch(r"conv\d+\.weight", name)):
        side = (side + 1) // 2 if weight.shape[0] != weight.shape[1] else side  # more filters, fewer pixels
        operations += 2 * side * side * weight.size
    return operations


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def tasks(isa: str, weights: list, model: bytes) -> dict[str, tuple[Callable[[], object], float]]:
    """What to time, and its number of operations (0 for the pyramid, which only moves pixels)."""
    extension = Extension(isa)
    networks = NativeNetworks(extension, *weights)
    native = networks._native
    p, r, o = weights
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    picture = np.ascontiguousarray(small.repeat(8, 0).repeat(8, 1))
    at = scales(HEIGHT, WIDTH, 20, 0.709)
    sizes = [(math.ceil(HEIGHT * scale), math.ceil(WIDTH * scale)) for scale in at]
    crops24 = random.uniform(0, 255, (CROPS_R, 24, 24, 3)).astype(np.float32)
    crops48 = random.uniform(0, 255, (CROPS_O, 48, 48, 3)).astype(np.float32)
    heads = random.integers(0, 256, (HEADS, SIEVEPOSE, SIEVEPOSE, 3), np.uint8)
    pose = NativeSievepose(extension, model)
    matrix = random.uniform(-1, 1, (SIDE, SIDE)).astype(np.float32)
    steps, fma = 3_000_000, native.run_multiply_adds
    return {
        "FMA": (lambda: fma(steps), fma(0) + fma(1) * steps),
        "sgemm": (lambda: matrix @ matrix, 2 * SIDE**3),
        "pyramid": (lambda: [native.level(picture, w, h) for h, w in sizes], 0),
        "pyramid + P": (lambda: native.propose(picture, at, 0.6), sum(pnet(p, h, w) for h, w in sizes)),
        "R": (lambda: native.refine(crops24), crop_network(r, (22, 9, 3)) * CROPS_R),
        "O": (lambda: native.locate(crops48), crop_network(o, (46, 21, 8, 3)) * CROPS_O),
        "Sievepose": (lambda: pose(heads), sievepose(model) * HEADS),
    }


def best_of(rounds: int, todo: dict[str, tuple[Callable[[], object], float]]) -> dict[str, float]:
    """Shortest time of each task in seconds. Tasks take turns, so that a busy moment affects all of them."""
    best = dict.fromkeys(todo, math.inf)
    for _ in range(rounds):
        for name, (work, _) in todo.items():
            best[name] = min(best[name], seconds(work))
    return best


def report(isa: str, rounds: int, weights: list, model: bytes) -> None:
    todo = tasks(isa, weights, model)
    best = best_of(rounds, todo)
    best["P"] = best["pyramid + P"] - best["pyramid"]
    work = {name: operations for name, (_, operations) in todo.items()}
    work["P"] = work["pyramid + P"]
    rates = {
        name: work[name] / best[name] / 1e9 for name in ("FMA", "sgemm", "P", "R", "O", "pyramid + P", "Sievepose")
    }
    print(f"\n{isa}: GFLOP/s of one thread, and share of the FMA limit")
    for name, rate in rates.items():
        print(f"  {name:12s} {rate:7.1f} {rate / rates['FMA']:7.0%}")
    print(f"  at 1080p the pyramid takes {best['pyramid'] * 1e3:.1f} ms, with P-Net {best['pyramid + P'] * 1e3:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--isa", choices=instruction_sets(), help="only this instruction set")
    given = parser.parse_args()
    store = Store(Settings.load())
    files, model = store.load("mtcnn"), store.load("sievepose")["sievepose"]
    weights = [initializers(files[name]) for name in ("pnet", "rnet", "onet")]
    for isa in [given.isa] if given.isa else instruction_sets():
        report(isa, given.rounds, weights, model)


if __name__ == "__main__":
    main()
