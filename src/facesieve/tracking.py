"""The faces of one clip after its last frame: their tracks, and verdicts that may depend on them. Runs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facesieve.quality import MEASURES, is_relation
from facesieve.records import EMBEDDING_SIZE, Face, Floats, Floats32, Indices, Measures, Pixels
from facesieve.relate import find_tracks, picture_relations, track_relations
from facesieve.sieve import Judgement, Policy, judge_columns

HASH_BYTES = 32
# The greatest distance between the mean embeddings of two tracks of one person, by the setting `identity`.
SAME_PERSON = {"dlib-resnet": 0.4}


@dataclass(frozen=True, slots=True)
class ClipFaces:
    """The N faces of one clip, in the order of its frames.

    frame, scene: (N,) numbers. time: (N,) seconds. boxes: (N, 4). hashes: (N, 32) uint8, zeros for none. embeddings:
    (N, 128), NaN for a face without one; None if none were computed. measures: as before any rule.
    """

    frame: Indices
    scene: Indices
    time: Floats
    boxes: Floats
    hashes: Pixels
    measures: Measures
    embeddings: Floats32 | None = None

    @classmethod
    def of(cls, faces: Sequence[Face], scenes: Sequence[int]) -> ClipFaces:
        """Those of values. scenes: the number of the scene of each face."""
        names = [name for name in (faces[0].measures if faces else ()) if not is_relation(name)]
        names = names or [measure.name for measure in MEASURES]
        nothing = np.full(EMBEDDING_SIZE, np.nan, np.float32)
        hashes = [face.crop_hash or bytes(HASH_BYTES) for face in faces]
        vectors = [nothing if face.embedding is None else face.embedding for face in faces]
        return cls(
            frame=np.array([face.frame for face in faces], np.intp),
            scene=np.array(scenes, np.intp),
            time=np.array([face.time for face in faces], np.float64),
            boxes=np.array([face.box for face in faces], np.float64).reshape(-1, 4),
            hashes=np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES),
            measures=Measures({name: np.array([face.measures[name] for face in faces], np.float64) for name in names}),
            embeddings=np.array(vectors, np.float32).reshape(-1, EMBEDDING_SIZE),
        )


def judge_clip(faces: ClipFaces, policy: Policy, gap: float, identity: str) -> tuple[Indices, Judgement]:
    """The track of each face, (N,) numbers from 0, and the verdicts.

    gap: see `rank_in_track`. identity: the model of the embeddings, as in the settings.
    """
    limit = SAME_PERSON.get(identity)
    embeddings = None if limit is None else faces.embeddings
    columns = (faces.frame, faces.time, faces.scene, faces.boxes, faces.hashes)
    track = find_tracks(*columns, embeddings, limit or 0.0)
    _, picture = np.unique(faces.frame, return_inverse=True)
    measures = faces.measures
    relations = picture_relations(picture, measures["prominence"]) | track_relations(
        track, faces.time, measures["fitness"], measures["yaw"], measures["pitch"], gap
    )
    return track, judge_columns(policy, measures, relations)
