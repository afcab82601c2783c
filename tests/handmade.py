"""A fake pipeline that computes faces from the bytes of a picture, so tests of files need no network."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import InferenceEngine
from facesieve.quality import DATASET_RELATIONS
from facesieve.records import Face, Measures, Photo, Record, Refusal, Source, Verdict
from facesieve.run.build_spec import BuildSpec
from facesieve.run.verdicts import Judge
from facesieve.settings import Settings
from facesieve.sieve import Judgement, Policy

MEASURES = ("confidence", "pitch", "yaw", "roll", "blur", "Sharpness", "InterEyeDistance")


def source_of(path: Path, root: Path, label: str = "") -> Source:
    state = path.stat()
    return Source(
        path.relative_to(root).as_posix(), label, partial(path.open, "rb"), f"{state.st_size}-{state.st_mtime_ns}"
    )


def sources_in(root: Path) -> list[Source]:
    """Every file below a folder, labelled with the name of its folder."""
    return [
        source_of(path, root, "" if path.parent == root else path.parent.name)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    ]


class Handmade:
    """A pipeline for builds, without networks. seen: names of the sources that it has processed."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def stream(self, sources: Iterable[Source]) -> Iterator[Record]:
        return map(self.one, sources)

    def one(self, source: Source) -> Record:
        self.seen.append(source.name)
        return record_of(source)


class Hashed(Handmade):
    """Handmade, with hashes of crops. Every face is kept, as by a policy whose first rule compares all faces."""

    def one(self, source: Source) -> Record:
        record = super().one(source)
        return replace(record, faces=tuple(map(_hashed, record.faces)))


def _hashed(face: Face) -> Face:
    """Hashes lie on a line: each is near to the next ones on both sides, and to no other."""
    bits = np.arange(256) < 20 * (int(face.face_id[:4], 16) % 10 + 1)
    measures = {**face.measures, "fitness": face.confidence}
    return replace(face, crop_hash=np.packbits(bits).tobytes(), verdict=Verdict(True), measures=measures)


def compared_spec(outputs: Outputs | None = None, workers: int = 1, **settings: object) -> BuildSpec:
    """How a build with `Hashed` makes its dataset: of near-duplicates only the fittest is kept."""
    policy = Policy.parse({"name": "by hand", "rules": [{"measure": "rank_among_duplicates", "high": 1}]})
    measures = (*MEASURES, "fitness", *(relation.name for relation in DATASET_RELATIONS))
    return replace(build_spec(outputs, workers, **settings), policy=policy, measures=measures)


def record_of(source: Source) -> Record:
    assert source.open is not None
    with source.open() as stream:
        data = stream.read()
    picture_id = hashlib.sha256(data).hexdigest()
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if decoded is None:
        code = "not_an_image" if data else "empty"
        return Record(source, refusal=Refusal(source, code, "No pixels in these bytes.", picture_id))
    photo = Photo(source, picture_id, np.ascontiguousarray(decoded[..., ::-1]), "png")
    count = int(picture_id[0], 16) % 4
    return Record(source, photo=photo, faces=tuple(face_of(photo, index) for index in range(count)))


def face_of(photo: Photo, index: int) -> Face:
    """A face with numbers from the picture's id. The second face is always rejected, the third for two reasons."""
    seed = np.random.default_rng([int(photo.picture_id[:8], 16), index])
    w, h = seed.uniform(10, photo.width / 2), seed.uniform(10, photo.height / 2)
    box = (float(seed.uniform(-5, photo.width / 2)), float(seed.uniform(-5, photo.height / 2)), float(w), float(h))
    reasons = ((), ("blurred",), ("low_confidence", "blurred"))[index]
    measures = {name: float(seed.uniform(0, 100)) for name in MEASURES[1:]}
    if index == 2:
        measures |= {"pitch": np.nan, "yaw": np.nan, "roll": np.nan}
    return Face(
        face_id=hashlib.md5(f"{photo.picture_id}{index}".encode()).hexdigest(),
        box=box,
        landmarks=np.array([[0.25, 0.4], [0.75, 0.4], [0.5, 0.6], [0.3, 0.8], [0.7, 0.8]]) * box[2:] + box[:2],
        confidence=float(seed.uniform(0.5, 1)),
        crop=cv2.resize(photo.pixels, (112, 112)),
        measures=measures,
        verdict=Verdict(not reasons, reasons),
    )


def build_spec(outputs: Outputs | None = None, workers: int = 1, **settings: object) -> BuildSpec:
    """How a build with `Handmade` makes its dataset."""
    return BuildSpec(
        settings=Settings.load(workers=workers, **settings),
        measures=MEASURES,
        outputs=outputs or Outputs(),
        policy=Policy.parse({"name": "by hand", "rules": [{"measure": "blur", "low": 100, "reason": "blurred"}]}),
        models={"none": "0" * 64},
        engines=(InferenceEngine(network="none", engine="native", instruction_set="avx2"),),
        label_from="folder",
    )


def by_hand(verdicts: Callable[[Measures], Sequence[Verdict]]) -> Judge:
    """A judge for `rejudge` from a function that returns the verdicts on faces."""

    def judge(measures: Measures, *_: object) -> Judgement:
        found = [verdict.reasons for verdict in verdicts(measures)]
        patterns = tuple(dict.fromkeys(found))
        which = np.array([patterns.index(reasons) for reasons in found], np.intp)
        return Judgement(np.array([not reasons for reasons in found], bool), which, patterns)

    return judge


def photos(root: Path, portrait: Path, count: int = 12, first: int = 0) -> Path:
    """A folder of two people with `count` pictures cut from a portrait, copies, an empty file and a text file."""
    pixels = cv2.imread(str(portrait))
    for index in range(first, first + count):
        place = root / ("Ada" if index % 2 else "Grace")
        place.mkdir(parents=True, exist_ok=True)
        cut = pixels[index * 5 : index * 5 + 160, index * 7 : index * 7 + 120]
        cv2.imwrite(str(place / f"{index:03d}.png"), cut)
    (root / "Ada" / "empty.jpg").touch()
    (root / "Ada" / "notes.txt").write_text("not a picture")
    shutil.copy(root / "Ada" / "001.png", root / "Ada" / "001 again.png")
    shutil.copy(root / "Ada" / "001.png", root / "Grace" / "not Grace.png")
    return root


def files_in(root: Path) -> dict[str, bytes]:
    """Every published file of a dataset with its bytes, without the hidden files of the build."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".facesieve" not in path.relative_to(root).parts
    }
