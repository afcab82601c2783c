"""How quickly a dataset is exported, against GNU tar and a plain copy of the same crops in the same run.

    python bench/export.py [--faces 10000] [--rounds 3] [--only webdataset parquet]

Makes a dataset of crops from a portrait of scikit-image, in the temporary folder. A round runs all candidates one after
the other, so a busy machine slows all of them, and its ratios compare what ran beside each other. Prints the median of
faces per second, and of the time of tar divided by that of the candidate: above 1 is quicker than tar. `sync` is called
after each candidate, and its time counts.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import skimage

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import InferenceEngine
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.schema import picture_schema
from facesieve.draw import encode
from facesieve.export.export import export_dataset
from facesieve.quality import MEASURES
from facesieve.run.build_spec import BuildSpec
from facesieve.run.publish import publish_dataset
from facesieve.settings import Settings
from facesieve.sieve import Policy

CANDIDATES = (
    *("webdataset", "parquet", "imagefolder", "recordio png", "recordio jpeg:95", "webdataset jpeg:95"),
    *("csv", "jsonl"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=CANDIDATES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root / "dataset", arguments.faces)
        works: dict[str, Callable[..., object]] = {"tar": partial(tar, root), "cp -r": partial(copy, root)}
        works |= {name: partial(exported, root, *name.split()) for name in arguments.only}
        seconds = [{name: timed(work, root / "out") for name, work in works.items()} for _ in range(arguments.rounds)]
    print(f"{'candidate':<22}{'faces/s':>10}{'of tar':>9}")
    for name in works:
        rate = statistics.median(arguments.faces / one[name] for one in seconds)
        print(f"{name:<22}{rate:>10,.0f}{statistics.median(one['tar'] / one[name] for one in seconds):>9.2f}")


def make(root: Path, faces: int) -> None:
    """A dataset of one face per picture and ten faces per label, with all measures."""
    random = np.random.default_rng(0)
    portrait = cv2.imread(str(Path(skimage.__file__).parent / "data" / "astronaut.png"))[..., ::-1]
    settings = Settings()
    engine = InferenceEngine(network="none", engine="native", instruction_set="avx2")
    names = tuple(measure.name for measure in MEASURES)
    spec = BuildSpec(settings, names, Outputs(), Policy.preset(), {}, (engine,))
    origin = spec.origin()
    ids = [random.bytes(16).hex() for _ in range(faces)]
    labels = [f"person {number // 10:06d}" for number in range(faces)]
    for label, face_id in zip(labels, ids, strict=True):
        (root / "kept" / label).mkdir(parents=True, exist_ok=True)
        top, left, side = *random.integers(0, 200, 2), int(random.integers(112, 300))
        crop = cv2.resize(portrait[top : top + side, left : left + side], (112, 112), interpolation=cv2.INTER_AREA)
        (root / "kept" / label / f"{face_id}.png").write_bytes(encode.png(np.ascontiguousarray(crop)))
    sources = [f"photos/{label}/{number:07d}.jpg" for number, label in enumerate(labels)]
    fixed = {
        "face_id": ids,
        "picture_id": [face_id * 2 for face_id in ids],
        "source": sources,
        "label": labels,
        "kept": [True] * faces,
        "reasons": [[]] * faces,
        "file_name": [f"kept/{label}/{face_id}.png" for label, face_id in zip(labels, ids, strict=True)],
        "crop_hash": [random.bytes(32) for _ in ids],
    }
    schema = origin.face_schema
    columns = {name: fixed.get(name, random.normal(20, 10, faces)) for name in schema.names}
    pictures = {
        **{name: fixed[name] for name in ("picture_id", "source", "label")},
        "width": [500] * faces,
        "height": [500] * faces,
        "format": ["jpeg"] * faces,
        "turn": [0] * faces,
        "faces": [1] * faces,
        "kept": [1] * faces,
        "refusal": [None] * faces,
        "message": [None] * faces,
    }
    block = Block(pa.table(columns, schema=schema), pa.table(pictures).cast(picture_schema()))
    publish_dataset([block], Layout(root), origin, settings)


def tar(root: Path, out: Path) -> None:
    out.mkdir()
    subprocess.run(["tar", "cf", out / "all.tar", "-C", root / "dataset", "kept"], check=True)


def copy(root: Path, out: Path) -> None:
    subprocess.run(["cp", "-r", root / "dataset" / "kept", out], check=True)


def exported(root: Path, to: str, image: str = "", *, out: Path) -> None:
    export_dataset(root / "dataset", to, out, image=image)


def timed(work: Callable[..., object], out: Path) -> float:
    """Seconds of one candidate."""
    shutil.rmtree(out, ignore_errors=True)
    os.sync()
    started = time.perf_counter()
    work(out=out)
    os.sync()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
