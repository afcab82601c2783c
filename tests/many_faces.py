"""A dataset with several hundred faces of all measures, judged by a real policy; no network runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from facesieve.quality import MEASURES
from facesieve.records import Measures, Record, Source
from facesieve.run.build import BuildSpec, build_dataset
from facesieve.sieve import Policy, judge
from handmade import Handmade, build_spec, face_of, record_of, sources_in

EACH = 12  # faces of one picture
TYPICAL = {
    "confidence": (0.999, 0.004), "pitch": (0, 14), "yaw": (0, 28), "roll": (0, 15), "blur": (130, 60),
    "inter_eye_distance": (60, 30), "upsampling": (1.5, 0.6), "outside": (0.05, 0.05),
}  # fmt: skip


class ManyFaces(Handmade):
    """Computes `EACH` faces of every picture from its bytes. One in ten has no pose."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def one(self, source: Source) -> Record:
        record = record_of(source)
        if record.photo is None:
            return record
        chance = np.random.default_rng(int(record.photo.picture_id[:12], 16))
        columns = {one.name: _values(chance, one.name) for one in MEASURES}
        lacking = chance.random(EACH) < 0.1
        for name in ("pitch", "yaw", "roll"):
            columns[name][lacking] = np.nan
        verdicts = judge(self.policy, Measures(columns))
        like = face_of(record.photo, 0)
        faces = [
            replace(
                like,
                face_id=f"{record.photo.picture_id[:28]}{number:04x}",
                confidence=float(columns["confidence"][number]),
                measures={name: float(values[number]) for name, values in columns.items() if name != "confidence"},
                verdict=verdicts[number],
            )
            for number in range(EACH)
        ]
        return replace(record, faces=tuple(faces))


def _values(chance: np.random.Generator, name: str) -> np.ndarray:
    middle, spread = TYPICAL.get(name, (60, 20))
    values = chance.normal(middle, spread, EACH)
    return np.minimum(values, 1.0) if name == "confidence" else values


def pictures_in(root: Path, count: int = 30, labels: int = 5) -> Path:
    """A folder of small pictures in folders of their labels, and one file that is no picture."""
    for number in range(count):
        place = root / f"person {number % labels}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (60, 50, 3)).astype(np.uint8)
        cv2.imwrite(str(place / f"{number:03d}.png"), pixels)
    (root / "person 0" / "notes.txt").write_text("not a picture")
    return root


def spec_of(policy: Policy) -> BuildSpec:
    return replace(build_spec(), policy=policy, measures=tuple(one.name for one in MEASURES))


def dataset_in(root: Path, policy: Policy | None = None, count: int = 30) -> Path:
    """A dataset in `root`/dataset of pictures in `root`/pictures."""
    policy = policy or Policy.preset()
    sources = sources_in(pictures_in(root / "pictures", count))
    build_dataset(sources, root / "dataset", lambda: ManyFaces(policy), spec_of(policy))
    return root / "dataset"
