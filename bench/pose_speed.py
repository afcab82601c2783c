"""CPU time of WHENet per face on the compiled extension and on ONNX Runtime, and the difference of their answers.

    python bench/pose_speed.py [--rounds 5] [--isa avx2] [--faces ../shared/data/wider_val_dev]

*plain* is ONNX Runtime with default options, one thread and batches of 32 crops. All engines take turns on the same 32
crops, cut at moving positions from two portraits and mirrored. Ratios to plain are of sums of CPU time within this run.
Memory is the growth of a process that loads the network and answers once. With --faces, it also prints for all faces in
a folder of photos how far the answers are from plain, and how many decisions at pitch 20, yaw 45, roll 25 are the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from facesieve.detect import load_detector
from facesieve.models.catalog import entry
from facesieve.models.store import Store
from facesieve.native import Extension, instruction_sets
from facesieve.pose.crops import crop
from facesieve.pose.layers import read_layers
from facesieve.pose.native import NativeNetwork
from facesieve.records import Photo, Source
from facesieve.settings import Settings

CROPS = 32
GATE = (20, 45, 25)  # pitch, yaw, roll
LOADED = """
import re, sys
from pathlib import Path
import numpy as np
from facesieve.models.store import Store
from facesieve.pose.network import load_network
from facesieve.settings import Settings
peak = lambda: int(re.search("VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
settings = Settings.load(engine=sys.argv[1])
before = peak()
load_network("whenet", settings, Store(settings))(np.zeros((2, 224, 224, 3), np.uint8))
print(peak() - before, "onnxruntime" in sys.modules)
"""


def portraits() -> np.ndarray:
    """(32, 224, 224, 3): windows around the two faces, and their mirror images."""
    import cv2
    import skimage.data
    from matplotlib import cbook

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        hopper = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    crops = []
    for pixels, (x, y, side) in ((skimage.data.astronaut(), (160, 50, 130)), (hopper, (160, 60, 200))):
        for step in range(CROPS // 4):
            window = pixels[y + 3 * step : y + side + 5 * step, x - 4 * step : x + side - 2 * step]
            crop = cv2.resize(np.ascontiguousarray(window), (224, 224), interpolation=cv2.INTER_AREA)
            crops += [crop, crop[:, ::-1]]
    return np.ascontiguousarray(crops)


def faces_of(folder: Path) -> np.ndarray:
    """(N, 224, 224, 3): the crops that a build makes of all JPEG files in a folder and below."""
    import cv2

    settings, margin = Settings.load(), entry("whenet").preprocessing.margin or 0
    detector, crops = load_detector(settings, Store(settings)), []
    for file in sorted(folder.rglob("*.jpg")):
        photos = [Photo(Source(str(file)), "", cv2.imread(str(file))[..., ::-1].copy(), "")]
        faces = detector(photos)
        crops.append(crop(photos, faces.take(faces.confidence >= settings.measure_floor), margin, 224))
    return np.concatenate(crops)


def report_differences(crops: np.ndarray, everyone: dict[str, Callable[[np.ndarray], np.ndarray]]) -> None:
    answers = {
        name: np.concatenate([run(crops[i : i + 32]) for i in range(0, len(crops), 32)])
        for name, run in everyone.items()
    }
    passes = {name: (abs(degrees) <= GATE).all(axis=1) for name, degrees in answers.items()}
    print(f"{len(crops)} faces   mean     99 %  largest  same decisions")
    for name, degrees in answers.items():
        apart, same = abs(degrees - answers["plain"]), (passes[name] == passes["plain"]).sum()
        print(f"{name:12} {apart.mean():8.4f} {np.quantile(apart, 0.99):7.4f} {apart.max():8.4f} {same:8}")


def contenders(model: bytes, isas: list[str]) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Functions from crops to degrees by name; the others are compared with the first."""
    import onnxruntime as ort

    from facesieve.models.session import Session

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    plain = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    ours, read = Session(model, 1), read_layers(model)
    everyone = {"plain": lambda crops: plain.run(None, {"crops": crops})[0], "onnxruntime": by_two(ours)}
    return everyone | {isa: by_two(NativeNetwork(Extension(isa), read)) for isa in isas}


def by_two(network: Callable[[np.ndarray], list[np.ndarray]]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda crops: np.concatenate([network(crops[i : i + 2])[0] for i in range(0, len(crops), 2)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--isa", choices=instruction_sets(), help="only this instruction set")
    parser.add_argument("--faces", type=Path, help="folder of photos")
    given = parser.parse_args()
    crops, model = portraits(), Store(Settings.load()).load("whenet")["whenet"]
    everyone = contenders(model, [given.isa] if given.isa else instruction_sets())
    answers = {name: run(crops) for name, run in everyone.items()}
    spent: dict[str, list[float]] = {name: [] for name in everyone}
    for _ in range(given.rounds):
        for name, run in everyone.items():
            start = time.process_time()
            run(crops)
            spent[name].append((time.process_time() - start) / CROPS * 1000)
    print("engine       ms per face  best  ratio  of best  largest difference, degrees")
    for name, times in spent.items():
        ratio, best = sum(times) / sum(spent["plain"]), min(times) / min(spent["plain"])
        apart = abs(answers[name] - answers["plain"]).max()
        print(f"{name:12} {np.median(times):11.2f} {min(times):5.2f} {ratio:6.2f} {best:8.2f} {apart:12.5f}")
    for engine in ("onnxruntime", "native"):
        said = subprocess.run([sys.executable, "-c", LOADED, engine], capture_output=True, text=True, check=True)
        grown, imported = said.stdout.split()
        print(f"{engine}: {float(grown):.0f} MB to load the network and answer; ONNX Runtime imported: {imported}")
    if given.faces:
        report_differences(faces_of(given.faces), everyone)


if __name__ == "__main__":
    main()
