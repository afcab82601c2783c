"""Datasets of faces whose embeddings, hashes and sizes a test chooses, built without networks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import IdentityModel, InferenceEngine
from facesieve.quality import MEASURES
from facesieve.records import Face, Photo, Record, Source, Verdict
from facesieve.run.build import build_dataset
from facesieve.run.build_spec import BuildSpec
from facesieve.run.open_dataset import Dataset, open_dataset
from facesieve.settings import Settings
from facesieve.sieve import Policy

MODEL = IdentityModel(model="dlib-resnet", sha256="1b0644b7f203a51269caa22b74348313d904c57c39dc0f2e1522835cd27b1796")
OTHER_WEIGHTS = IdentityModel(model="dlib-resnet", sha256="2" * 64)
SFACE = IdentityModel(model="sface", sha256="3" * 64)
LENIENT = Policy.parse({"name": "by hand", "rules": [{"measure": "confidence", "low": 0.5}]})


@dataclass(frozen=True, slots=True)
class Given:
    """A face. vector: (128,), None for a face without an embedding. hash_: 32 bytes; None draws a random one.

    measures: others by name, which replace 50.
    """

    vector: np.ndarray | None
    hash_: bytes | None = None
    size: float = 50
    fitness: float = 50
    confidence: float = 1
    measures: Mapping[str, float] = field(default_factory=dict)

    def face(self, photo: Photo, number: int) -> Face:
        face_id = hashlib.sha256(f"{photo.picture_id}{number}".encode()).hexdigest()[:32]
        measures = {measure.name: 50.0 for measure in MEASURES[1:]} | dict(self.measures)
        kept = self.confidence >= 0.5
        return Face(
            face_id=face_id,
            box=(10.0 * number, 10, self.size, self.size),
            landmarks=np.full((5, 2), 20.0),
            confidence=self.confidence,
            crop=np.full((112, 112, 3), 90, np.uint8),
            measures={**measures, "fitness": self.fitness, "prominence": self.size / 100},
            verdict=Verdict(kept, () if kept else ("low_confidence",)),
            crop_hash=hashlib.sha256(face_id.encode()).digest() if self.hash_ is None else self.hash_,
            embedding=None if self.vector is None or not kept else np.asarray(self.vector, np.float16),
            no_embedding=("blank_crop" if kept else "no_crop") if self.vector is None or not kept else "",
        )


class Pictures:
    """A pipeline that returns the given faces of each picture by its name."""

    def __init__(self, given: Mapping[str, Sequence[Given]]) -> None:
        self._given = given

    def stream(self, sources: Iterable[Source]) -> Iterator[Record]:
        return map(self._one, sources)

    def _one(self, source: Source) -> Record:
        assert source.open
        digest = hashlib.sha256(source.open().read()).hexdigest()
        photo = Photo(source, digest, np.full((100, 200, 3), 90, np.uint8), "png")
        return Record(
            source, photo=photo, faces=tuple(f.face(photo, at) for at, f in enumerate(self._given[source.name]))
        )


def given_dataset(
    root: Path,
    pictures: Mapping[str, Sequence[Given]],
    model: IdentityModel | None = MODEL,
    same_bytes: Mapping[str, str] | None = None,
    **settings: object,
) -> Dataset:
    """Build a dataset. pictures: the faces of each by name; `ada/1.png` has the label `ada`, `1.png` has none.

    same_bytes: pictures that have the bytes of another one.
    """
    sources = [
        Source(name, name.rpartition("/")[0], partial(BytesIO, (same_bytes or {}).get(name, name).encode()), name)
        for name in sorted(pictures)
    ]
    spec = BuildSpec(
        settings=Settings.load(workers=1, **settings),
        measures=tuple(measure.name for measure in MEASURES),
        outputs=Outputs(),
        policy=LENIENT,
        models={},
        engines=(InferenceEngine(network="none", engine="native", instruction_set="avx2"),),
        label_from="folder",
        identity=model,
    )
    build_dataset(sources, root, lambda: Pictures(pictures), spec)
    return open_dataset(root)


def people_pictures(vectors: np.ndarray, owner: np.ndarray, labels: Sequence[str]) -> dict[str, list[Given]]:
    """A picture of each face, by name. labels: the label of each owner."""
    return {
        f"{labels[number]}/{row:03d}.png": [Given(vector)]
        for row, (vector, number) in enumerate(zip(vectors, owner, strict=True))
    }
