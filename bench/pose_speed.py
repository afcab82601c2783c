"""CPU time of head pose per face: Sievepose on the extension and on ONNX Runtime, and WHENet on ONNX Runtime.

    python bench/pose_speed.py [--rounds 5] [--isa avx2]

*plain* is WHENet on ONNX Runtime with default options, one thread and batches of 32 crops. All take turns on the same
32 windows around the faces of two portraits. Ratios to plain are of sums of CPU time within this run. Differences are
those of Sievepose's angles from its own on ONNX Runtime. Memory is the growth of a process that loads the network and
answers once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from facesieve.models.catalog import entry
from facesieve.models.store import Store
from facesieve.native import instruction_sets
from facesieve.pose.network import load_network
from facesieve.settings import Settings

CROPS = 32
LOADED = """
import re, sys
from pathlib import Path
import numpy as np
from facesieve.models.catalog import entry
from facesieve.models.store import Store
from facesieve.pose.network import load_network
from facesieve.settings import Settings
peak = lambda: int(re.search("VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
settings, name = Settings.load(engine=sys.argv[2]), sys.argv[1]
side = entry(name).preprocessing.side
before = peak()
load_network(name, settings, Store(settings))(np.zeros((2, side, side, 3), np.uint8))
print(peak() - before, "onnxruntime" in sys.modules)
"""

Network = Callable[[np.ndarray], np.ndarray]


def portraits(side: int) -> np.ndarray:
    """(32, side, side, 3): windows around the two faces, and their mirror images."""
    import cv2
    import skimage.data
    from matplotlib import cbook

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        hopper = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    crops = []
    for pixels, (x, y, size) in ((skimage.data.astronaut(), (160, 50, 130)), (hopper, (160, 60, 200))):
        for step in range(CROPS // 4):
            window = pixels[y + 3 * step : y + size + 5 * step, x - 4 * step : x + size - 2 * step]
            crop = cv2.resize(np.ascontiguousarray(window), (side, side), interpolation=cv2.INTER_AREA)
            crops += [crop, crop[:, ::-1]]
    return np.ascontiguousarray(crops)


def contenders(isas: list[str]) -> dict[str, tuple[Network, np.ndarray]]:
    """Networks and their crops by name; times are compared with those of the first."""
    import onnxruntime as ort

    store, options = Store(Settings.load()), ort.SessionOptions()
    options.intra_op_num_threads = 1
    plain = ort.InferenceSession(store.load("whenet")["whenet"], options, providers=["CPUExecutionProvider"])
    large, small = (portraits(entry(name).preprocessing.side or 0) for name in ("whenet", "sievepose"))
    engines = {"onnxruntime": {"engine": "onnxruntime"}} | {isa: {"isa": isa} for isa in isas}

    by_two = load_network("whenet", Settings.load(engine="onnxruntime"), store)

    def whenet(crops: np.ndarray) -> np.ndarray:
        return np.concatenate([by_two(crops[i : i + 2])[0] for i in range(0, len(crops), 2)])

    everyone = {"plain": (lambda crops: plain.run(None, {"crops": crops})[0], large), "whenet": (whenet, large)}
    for name, given in engines.items():
        network = load_network("sievepose", Settings.load(**given), store)
        everyone[name] = (lambda crops, network=network: network(crops)[0], small)
    return everyone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--isa", choices=instruction_sets(), help="only this instruction set")
    given = parser.parse_args()
    everyone = contenders([given.isa] if given.isa else instruction_sets())
    answers = {name: run(crops) for name, (run, crops) in everyone.items()}
    spent: dict[str, list[float]] = {name: [] for name in everyone}
    for _ in range(given.rounds):
        for name, (run, crops) in everyone.items():
            start = time.process_time()
            run(crops)
            spent[name].append((time.process_time() - start) / CROPS * 1000)
    print("engine       ms per face   best  ratio  of best  largest difference, degrees")
    for name, times in spent.items():
        ratio, best = sum(times) / sum(spent["plain"]), min(times) / min(spent["plain"])
        same = "plain" if name in ("plain", "whenet") else "onnxruntime"
        apart = abs(answers[name] - answers[same]).max()
        print(f"{name:12} {np.median(times):11.2f} {min(times):6.3f} {ratio:6.3f} {best:8.3f} {apart:12.5f}")
    for name, engine in (("whenet", "onnxruntime"), ("sievepose", "onnxruntime"), ("sievepose", "native")):
        said = subprocess.run([sys.executable, "-c", LOADED, name, engine], capture_output=True, text=True, check=True)
        grown, imported = said.stdout.split()
        print(f"{name}, {engine}: {float(grown):.0f} MB to load and answer; ONNX Runtime imported: {imported}")


if __name__ == "__main__":
    main()
