"""The pipeline that the command line, the Python API and the service share: pictures in, records out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

import numpy as np

from facesieve.align import Aligned, Aligner
from facesieve.decode import DecodedBatch, batches, decode, prefetch
from facesieve.detect import RotationSearch, UpsideDownCheck, load_detector
from facesieve.models.store import Announce, Store, tell
from facesieve.native import load_extension
from facesieve.pose import HeadPose, with_half_turn
from facesieve.quality import crop_hash, luma, measure
from facesieve.records import (
    TEMPLATE_SIZE,
    Embeddings,
    Face,
    Faces,
    Floats,
    Mask,
    Measures,
    Photo,
    Pixels,
    Poses,
    Record,
    Refusal,
    Verdict,
)
from facesieve.relate import picture_relations, track_relations
from facesieve.settings import Settings
from facesieve.sieve import Policy, Relation, judge_columns
from facesieve.sources import Picture, as_sources, each_source
from facesieve.tracking import ClipFaces, judge_clip

Argument = TypeVar("Argument", Settings, Policy)
Embed = Callable[[Pixels], Embeddings]


class Measured(NamedTuple):
    """A batch with its measures, not judged yet.

    results: one for each picture, as in `DecodedBatch`. photos: the photos among them, turned if the search for
    rotations turned them.
    crops: (N, size, size, 3) uint8 RGB, one for each face. hashes: (N, 32) uint8, one for each face.
    """

    results: Sequence[Photo | Refusal]
    photos: Sequence[Photo]
    faces: Faces
    crops: Pixels
    measures: Measures
    hashes: Pixels

    def judged(self, policy: Policy) -> list[Record]:
        """One record for each picture, in order, with the verdicts of the policy. Runs no network.

        The measures of the records also have the relations of faces in one picture. Faces in frames of a clip are
        judged by the rules before the first one on tracks, because their tracks are not known before the clip ends.
        """
        relations = picture_relations(self.faces.photo, self.measures["prominence"])
        if any(photo.time is not None for photo in self.photos):
            policy = policy.before_tracks()
        elif policy.ranks_tracks:
            relations |= _alone_in_tracks(self.measures)
        judgement = judge_columns(policy.for_pictures(), self.measures, relations)
        measures = Measures({**self.measures.columns, **judgement.relations})
        found = (self.faces, self.crops, measures, judgement.verdicts(), self.hashes)
        return gather(self.results, self.photos, *found)


class Pipeline:
    """Finds, aligns, measures and judges every face in pictures.

    Create one pipeline and call it many times: it loads the networks when it is created. Weights that are not in the
    cache are fetched then, unless the settings say offline; `announce` is called with one line about each.

    settings: None takes the environment and the defaults. policy: the rules that decide which faces are kept; None is
    `reference`. It cannot have rules that compare the faces of a whole dataset.
    embed_rejected: if the settings name a model in `identity`, also compute embeddings of rejected faces.
    A pipeline can be pickled. Only settings and policy are pickled, and unpickling loads the networks again. Therefore
    send it to each process of a pool once, in the initializer, and not with every task.
    Raises TypeError for settings or a policy of another type, such as a dict or the name of a preset, ModelError
    when weights are missing or differ from the catalog, and PolicyError `needs_dataset`.

    Examples:
        >>> import skimage.data
        >>> pipeline = Pipeline()
        >>> [record] = pipeline.process([skimage.data.astronaut()])
        >>> [face] = record.faces
        >>> face.crop.shape, face.verdict.kept
        ((112, 112, 3), True)
    """

    def __init__(
        self,
        settings: Settings | None = None,
        policy: Policy | None = None,
        announce: Announce = tell,
        embed_rejected: bool = False,
    ) -> None:
        self.settings = _check_type(Settings, settings, "settings=Settings(min_face_size=40)") or Settings.load()
        self.policy = (_check_type(Policy, policy, 'policy=Policy.preset("strict")') or Policy.preset()).for_pictures()
        store = Store(self.settings, announce)
        self._detect = load_detector(self.settings, store)
        self._extension = load_extension(self.settings)
        self._align = Aligner(self.settings.alignment, self.settings.crop_size, self._extension)
        self._align_reference = Aligner("similarity", TEMPLATE_SIZE, self._extension)
        self._pose = HeadPose(self.settings, store)
        self._embed = _load_embedder(self.settings, store)
        self._embed_rejected = embed_rejected
        self._check_upside_down = UpsideDownCheck(self._detect)
        self._search_rotations = RotationSearch(self._detect, self._upright)

    def __reduce__(self) -> tuple[type[Pipeline], tuple[Settings, Policy, Announce, bool]]:
        return type(self), (self.settings, self.policy, tell, self._embed_rejected)

    def process(self, pictures: Picture | Iterable[Picture]) -> list[Record]:
        """Returns one record for each picture, in order. A picture that cannot be read is a refusal, not an exception.

        pictures: one picture or several. They are one batch, so memory grows with their pixels; use `stream` for many.
        A picture is a path, encoded bytes, a binary file (read from its start and left open), an upright (H, W, 3)
        uint8 RGB array, a Pillow image of any mode (its EXIF orientation is applied) or a source. An (N, H, W, 3) array
        is N pictures.
        Raises PictureTypeError, which is a TypeError, for any other type, before any work begins. A bad value of the
        right type, such as a path that does not exist or an array of floats, is a refusal.
        """
        return self._records(self.measure(pictures), self.policy)

    def measure(self, pictures: Picture | Iterable[Picture], pose: bool = True) -> Measured:
        """Returns the faces of a batch with their measures, before the sieve. Takes the same pictures as `process`.

        pose: False skips the pose network and leaves pitch, yaw and roll NaN.
        """
        return self._measured(decode(as_sources(pictures), self.settings), pose)

    def stream(self, pictures: Picture | Iterable[Picture]) -> Iterator[Record]:
        """Yields the records of any number of pictures, in order. Takes the same pictures as `process`.

        It works on batches of at most `batch_size` pictures or about `batch_pixels` pixels. Meanwhile a thread
        decodes the next batch.
        A clip yields one record for each frame that the settings choose. Its faces have no track, and rules on tracks
        and all rules after them are not applied; see `track`.
        """
        return self._stream(pictures, self.policy)

    def _stream(self, pictures: Picture | Iterable[Picture], policy: Policy) -> Iterator[Record]:
        decoded = prefetch(batches(each_source(pictures), self.settings))
        return chain.from_iterable(self._records(self._measured(batch), policy) for batch in decoded)

    def track(self, clip: Picture, policy: Policy | None = None, rejected_crops: bool = True) -> Record:
        """Returns all faces of one clip in one record, with their tracks and final verdicts.

        The faces are in the order of their frames, and have `frame`, `time` and `track`. The crops of all faces are in
        memory; the frames are not, except for the last one, which is the photo of the record. A picture is processed as
        usual.
        policy: None takes that of the pipeline. rejected_crops: False leaves faces that fail a rule before those on
        tracks with an empty crop, (0, size, 3), and so saves memory.
        Raises what `process` raises.
        """
        [source] = as_sources(clip)
        policy = policy or self.policy
        faces, scenes, record = list[Face](), list[int](), Record(source)
        for record in self._stream(source, policy):
            if record.photo is not None and record.photo.time is not None:
                faces += record.faces if rejected_crops else map(_without_rejected_crop, record.faces)
                scenes += [record.photo.scene] * len(record.faces)
        if record.photo is None or record.photo.time is None:
            return record
        return dataclasses.replace(record, faces=self._tracked(faces, scenes, policy))

    def _tracked(self, faces: Sequence[Face], scenes: Sequence[int], policy: Policy) -> tuple[Face, ...]:
        track, judgement = judge_clip(
            ClipFaces.of(faces, scenes), policy, self.settings.shot_gap, self.settings.identity
        )
        verdicts = judgement.verdicts()
        related = (
            {name: float(column[at]) for name, column in judgement.relations.items()} for at in range(len(faces))
        )
        return tuple(
            dataclasses.replace(face, track=number, verdict=verdict, measures={**face.measures, **relations})
            for face, number, verdict, relations in zip(faces, track.tolist(), verdicts, related, strict=True)
        )

    def _records(self, measured: Measured, policy: Policy) -> list[Record]:
        """The records of a batch, with embeddings if the settings name a model."""
        records = measured.judged(policy)
        if self._embed is None:
            return records
        wanted = [face for record in records for face in (record.faces if self._embed_rejected else record.kept)]
        found = dict(zip(map(id, wanted), _embedded(wanted, self._embed), strict=True))
        return [
            dataclasses.replace(record, faces=tuple(found.get(id(face), face) for face in record.faces))
            for record in records
        ]

    def _measured(self, decoded: DecodedBatch, with_pose: bool = True) -> Measured:
        photos, faces = self._find(decoded.photos)
        crops = self._align(photos, faces).crops
        poses = self._pose(photos, faces) if with_pose else Poses.unmeasured(len(faces))
        hashes = crop_hash(luma(self._template_crops(photos, faces, crops)))
        return Measured(decoded.results, photos, faces, crops, self._measure(photos, faces, poses), hashes)

    def _find(self, photos: Sequence[Photo]) -> tuple[Sequence[Photo], Faces]:
        """The photos and their faces. If the settings allow it, a photo is turned so that its faces are upright."""
        still = all(photo.time is None for photo in photos)  # the frames of a clip have one orientation
        turned = self.settings.turns > 1 and still
        return self._search_rotations(photos) if turned else (photos, self._detect(photos))

    def _template_crops(self, photos: Sequence[Photo], faces: Faces, crops: Pixels) -> Pixels:
        """The crops with the default settings, from exact landmarks: hashes of edited pictures then differ less."""
        default = (self.settings.alignment, self.settings.crop_size) == ("similarity", TEMPLATE_SIZE)
        return crops if default else self._align_reference(photos, faces).crops

    def _measure(self, photos: Sequence[Photo], faces: Faces, poses: Poses) -> Measures:
        """Measures of the reference's crops, so that thresholds do not depend on the settings of the crop."""
        standard = self._reference_crops(photos, faces)
        true = poses._replace(degrees=self._true_roll(photos, faces, standard.crops, poses.degrees))
        return measure(photos, faces, standard.crops, standard.matrices, true, self._extension)

    def _reference_crops(self, photos: Sequence[Photo], faces: Faces) -> Aligned:
        """Crops as the reference aligns them: landmarks truncated to whole pixels change blur by up to 6 %."""
        whole = dataclasses.replace(faces, landmarks=np.trunc(faces.landmarks))
        return self._align_reference(photos, whole)

    def _true_roll(self, photos: Sequence[Photo], faces: Faces, crops: Pixels, pose: Floats) -> Floats:
        """The pose, with half a turn added to the roll of upside-down faces. Faces without a pose are skipped."""
        upside_down = ~np.isnan(pose[:, 2])
        upside_down[upside_down] = self._check_upside_down(photos, faces.take(upside_down), crops[upside_down])
        return with_half_turn(pose, upside_down)

    def _upright(self, photos: Sequence[Photo], faces: Faces) -> Mask:
        """(N,) boolean: whether each face is upright in its photo."""
        return self._check_upside_down.upright(self._reference_crops(photos, faces).crops)


def _load_embedder(settings: Settings, store: Store) -> Embed | None:
    if settings.identity == "none":
        return None
    from facesieve.identity.embedder import Embedder  # ONNX Runtime takes a while to import

    return Embedder(settings, store)


def _embedded(faces: Sequence[Face], embed: Embed) -> list[Face]:
    """The faces with their embeddings."""
    if not faces:
        return []
    found = embed(np.stack([face.crop for face in faces]))
    pairs = zip(found.vectors, found.missing, strict=True)
    return [
        dataclasses.replace(face, embedding=None if missing else vector, no_embedding=missing)
        for face, (vector, missing) in zip(faces, pairs, strict=True)
    ]


def _check_type(kind: type[Argument], value: Argument | None, example: str) -> Argument | None:
    if value is None or isinstance(value, kind):
        return value
    name = kind.__name__.lower()
    raise TypeError(f"{name} is of type {type(value).__name__}, not {kind.__name__}; write Pipeline({example}).")


def gather(
    results: Sequence[Photo | Refusal],
    photos: Sequence[Photo],
    faces: Faces,
    crops: Pixels,
    measures: Measures,
    verdicts: Sequence[Verdict],
    hashes: Pixels,
) -> list[Record]:
    """Turn flat arrays into one record for each photo or refusal, in order."""
    first = np.searchsorted(faces.photo, np.arange(len(photos) + 1))
    records, number = [], 0
    for result in results:
        if isinstance(result, Refusal):
            records.append(Record(result.source, refusal=result))
            continue
        rows = range(first[number], first[number + 1])
        found = tuple(_face(photos[number], faces, crops, measures, verdicts, hashes, row) for row in rows)
        records.append(Record(result.source, photos[number], faces=found))
        number += 1
    return records


def _face(
    photo: Photo,
    faces: Faces,
    crops: Pixels,
    measures: Measures,
    verdicts: Sequence[Verdict],
    hashes: Pixels,
    row: int,
) -> Face:
    x, y, w, h = faces.boxes[row].tolist()
    return Face(
        face_id=face_id(photo.picture_id, (x, y, w, h), None if photo.time is None else photo.frame),
        box=(x, y, w, h),
        landmarks=faces.landmarks[row],
        confidence=float(faces.confidence[row]),
        crop=crops[row],
        measures=measures.row(row),
        verdict=verdicts[row],
        crop_hash=hashes[row].tobytes() if hashes[row].any() else b"",
        frame=photo.frame,
        time=photo.time,
    )


def face_id(picture_id: str, box: tuple[float, float, float, float], frame: int | None = None) -> str:
    """32 hex digits from the sha256 of the picture and the box in whole pixels; the same on every machine.

    frame: its number in a clip; None for a still picture.
    """
    pixels = ",".join(str(round(side)) for side in box)
    key = pixels if frame is None else f"{frame}:{pixels}"
    return hashlib.sha256(f"{picture_id}:{key}".encode()).hexdigest()[:32]


def _without_rejected_crop(face: Face) -> Face:
    """The face with a crop of its own if it was kept, else an empty one: a view would hold the crops of the batch."""
    return dataclasses.replace(face, crop=face.crop.copy() if face.verdict.kept else face.crop[:0].copy())


def _alone_in_tracks(measures: Measures) -> dict[str, Relation]:
    """The relations in tracks of faces of still pictures: each is a track of its own."""
    faces = len(measures["fitness"])
    return track_relations(
        np.arange(faces), np.zeros(faces), measures["fitness"], measures["yaw"], measures["pitch"], 0
    )
