"""The one object behind every door: sources in, records out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

import numpy as np

from facesieve.align import Aligned, Aligner
from facesieve.decode import DecodedBatch, batches, decode, prefetch
from facesieve.detect import RotationSearch, UpsideDownCheck, load_detector
from facesieve.models.store import Announce, Store, tell
from facesieve.native import load_extension
from facesieve.pose import HeadPose, with_half_turn
from facesieve.quality import measure
from facesieve.records import (
    TEMPLATE_SIZE,
    Face,
    Faces,
    Floats,
    Mask,
    Measures,
    Photo,
    Pixels,
    Record,
    Refusal,
    Verdict,
)
from facesieve.settings import Settings
from facesieve.sieve import Policy, judge
from facesieve.sources import Picture, as_sources, each_source

Given = TypeVar("Given", Settings, Policy)


class Measured(NamedTuple):
    """A batch before the sieve.

    answers: as in `DecodedBatch`. photos: those among them, perhaps turned. crops: (N, size, size, 3) uint8 RGB, one
    for each face.
    """

    answers: Sequence[Photo | Refusal]
    photos: Sequence[Photo]
    faces: Faces
    crops: Pixels
    measures: Measures

    def judged(self, policy: Policy) -> list[Record]:
        """One record for each answer, in order, with the verdicts of the policy. No network runs."""
        return gather(*self, judge(policy, self.measures))


class Pipeline:
    """Finds, aligns, measures and judges every face of the pictures it is given.

    Build it once, it holds the networks; `process` it as often as you like. Weights that are not in the cache are
    fetched on the way (`announce` is told in one line), unless the settings say offline.

    settings: every knob; None takes the environment and the defaults. policy: what is kept; None is `reference`.
    Raises TypeError for settings or a policy of another type, such as a dict or the name of a preset.
    It pickles: settings and policy travel, and the networks are loaded again where it arrives. That takes a moment,
    so hand it to each process of a pool once, as its initializer does, and not with every task.
    Raises ModelError when weights are absent or not what the catalog says.

    Examples:
        >>> import skimage.data
        >>> pipeline = Pipeline()
        >>> [record] = pipeline.process([skimage.data.astronaut()])
        >>> [face] = record.faces
        >>> face.crop.shape, face.verdict.kept
        ((112, 112, 3), True)
    """

    def __init__(
        self, settings: Settings | None = None, policy: Policy | None = None, announce: Announce = tell
    ) -> None:
        self.settings = _of_type(Settings, settings, "settings=Settings(min_face_size=40)") or Settings.load()
        self.policy = _of_type(Policy, policy, 'policy=Policy.preset("strict")') or Policy.preset()
        store = Store(self.settings, announce)
        self._detect = load_detector(self.settings, store)
        self._extension = load_extension(self.settings)
        self._align = Aligner(self.settings.alignment, self.settings.crop_size, self._extension)
        self._standard = Aligner("similarity", TEMPLATE_SIZE, self._extension)
        self._pose = HeadPose(self.settings, store)
        self._check_upside_down = UpsideDownCheck(self._detect)
        self._search_rotations = RotationSearch(self._detect, self._upright)

    def __reduce__(self) -> tuple[type[Pipeline], tuple[Settings, Policy]]:
        return type(self), (self.settings, self.policy)

    def process(self, pictures: Picture | Iterable[Picture]) -> list[Record]:
        """One record for each picture, in order. A picture that cannot be read is a refusal, never an exception.

        pictures: any number of pictures, which are one batch: memory grows with their pixels. `stream` takes more.
        A single picture is answered with a list of one record. A picture is a path, encoded bytes, a file open for
        reading bytes (read from its start, left open), an upright (H, W, 3) uint8 RGB array, a Pillow image of any
        mode (its EXIF orientation is applied) or a source; an (N, H, W, 3) array is N pictures.
        Raises PictureTypeError, which is a TypeError, for anything else, before any work begins. What is wrong with
        a picture of the right type, such as a path that is missing or an array of floats, is a refusal.
        """
        return self.measure(pictures).judged(self.policy)

    def measure(self, pictures: Picture | Iterable[Picture], pose: bool = True) -> Measured:
        """The faces of a batch with their measures, not judged yet; it takes what `process` takes.

        pose: False leaves pitch, yaw and roll NaN and does not run the pose network.
        """
        return self._measured(decode(as_sources(pictures), self.settings), pose)

    def stream(self, pictures: Picture | Iterable[Picture]) -> Iterator[Record]:
        """The records of any number of pictures, in order; it takes what `process` takes.

        `batch_size` of them or `batch_pixels` are worked on at a time, while a thread draws and decodes as many more.
        """
        decoded = prefetch(batches(each_source(pictures), self.settings))
        return chain.from_iterable(self._measured(batch).judged(self.policy) for batch in decoded)

    def _measured(self, decoded: DecodedBatch, with_pose: bool = True) -> Measured:
        photos, faces = self._find(decoded.photos)
        crops = self._align(photos, faces).crops
        pose = self._pose(photos, faces) if with_pose else np.full((len(faces), 3), np.nan)
        return Measured(decoded.answers, photos, faces, crops, self._measure(photos, faces, pose))

    def _find(self, photos: Sequence[Photo]) -> tuple[Sequence[Photo], Faces]:
        """The photos, turned where that finds upright faces and the settings want it, and their faces."""
        return self._search_rotations(photos) if self.settings.turns > 1 else (photos, self._detect(photos))

    def _measure(self, photos: Sequence[Photo], faces: Faces, pose: Floats) -> Measures:
        """Measures of the reference's crop, whatever crops were asked for, so that thresholds keep their meaning."""
        standard = self._reference_crops(photos, faces)
        upright = self._true_roll(photos, faces, standard.crops, pose)
        return measure(photos, faces, standard.crops, standard.matrices, upright, self._extension)

    def _reference_crops(self, photos: Sequence[Photo], faces: Faces) -> Aligned:
        """Crops as the reference aligns them, by landmarks in whole pixels; its blur depends on it by up to 6 %."""
        whole = dataclasses.replace(faces, landmarks=np.trunc(faces.landmarks))
        return self._standard(photos, whole)

    def _true_roll(self, photos: Sequence[Photo], faces: Faces, crops: Pixels, pose: Floats) -> Floats:
        """The pose with half a turn more roll for faces that are upside down; only those with a pose are looked at."""
        over = ~np.isnan(pose[:, 2])
        over[over] = self._check_upside_down(photos, faces.take(over), crops[over])
        return with_half_turn(pose, over)

    def _upright(self, photos: Sequence[Photo], faces: Faces) -> Mask:
        return self._check_upside_down.upright(self._reference_crops(photos, faces).crops)


def _of_type(kind: type[Given], given: Given | None, example: str) -> Given | None:
    if given is None or isinstance(given, kind):
        return given
    name = kind.__name__.lower()
    raise TypeError(f"{name} is of type {type(given).__name__}, not {kind.__name__}; write Pipeline({example}).")


def gather(
    answers: Sequence[Photo | Refusal],
    photos: Sequence[Photo],
    faces: Faces,
    crops: Pixels,
    measures: Measures,
    verdicts: Sequence[Verdict],
) -> list[Record]:
    """Flat arrays back into one record for each answer, in order."""
    first = np.searchsorted(faces.photo, np.arange(len(photos) + 1))
    records, number = [], 0
    for answer in answers:
        if isinstance(answer, Refusal):
            records.append(Record(answer.source, refusal=answer))
            continue
        rows = range(first[number], first[number + 1])
        found = tuple(_face(photos[number], faces, crops, measures, verdicts, row) for row in rows)
        records.append(Record(answer.source, photos[number], faces=found))
        number += 1
    return records


def _face(photo: Photo, faces: Faces, crops: Pixels, measures: Measures, verdicts: Sequence[Verdict], row: int) -> Face:
    x, y, w, h = faces.boxes[row].tolist()
    return Face(
        face_id=face_id(photo.picture_id, (x, y, w, h)),
        box=(x, y, w, h),
        landmarks=faces.landmarks[row],
        confidence=float(faces.confidence[row]),
        crop=crops[row],
        measures=measures.row(row),
        verdict=verdicts[row],
    )


def face_id(picture_id: str, box: tuple[float, float, float, float]) -> str:
    """32 hex digits from the picture's sha256 and the box in whole pixels: the same face has the same id anywhere."""
    pixels = ",".join(str(round(side)) for side in box)
    return hashlib.sha256(f"{picture_id}:{pixels}".encode()).hexdigest()[:32]
