"""Tracks follow one person and never join two; best shots of a track differ in time or pose."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.relate import find_tracks, track_relations
from facesieve.relate.rank_in_track import rank_in_track

ADA, BOB = (np.random.default_rng(seed).integers(0, 256, 32, np.uint8) for seed in (1, 2))
SIZE = 50.0


def tracks(
    faces: list[tuple[int, float, np.ndarray]], scene: dict[int, int] | None = None, **more: object
) -> list[int]:
    """The tracks of faces: number of the frame (five a second), x of the box, hash."""
    frame = np.array([face[0] for face in faces], np.intp)
    boxes = np.array([(face[1], 100.0, SIZE, SIZE) for face in faces]).reshape(-1, 4)
    hashes = np.array([face[2] for face in faces], np.uint8).reshape(-1, 32)
    scenes = np.array([(scene or {}).get(number, 0) for number in frame.tolist()], np.intp)
    return find_tracks(frame, frame * 0.2, scenes, boxes, hashes, **more).tolist()  # type: ignore[arg-type]


def test_no_faces_have_no_tracks() -> None:
    assert tracks([]) == []


def test_a_face_that_moves_is_one_track() -> None:
    assert tracks([(number, 20.0 * number, ADA) for number in range(6)]) == [0] * 6


def test_a_face_that_is_missed_for_a_moment_continues_its_track() -> None:
    assert tracks([(0, 0.0, ADA), (1, 20.0, ADA), (4, 80.0, ADA)]) == [0, 0, 0]


def test_a_face_that_was_away_for_long_begins_a_track() -> None:
    assert tracks([(0, 0.0, ADA), (7, 0.0, ADA)]) == [0, 1]


def test_a_face_far_away_begins_a_track() -> None:
    assert tracks([(0, 0.0, ADA), (1, 400.0, ADA)]) == [0, 1]


def test_another_person_in_the_same_place_begins_a_track() -> None:
    assert tracks([(0, 0.0, ADA), (1, 0.0, ADA), (2, 0.0, BOB)]) == [0, 0, 1]


def test_a_face_whose_crop_changes_a_little_stays_in_its_track() -> None:
    changed = ADA.copy()
    changed[:12] ^= 0xFF  # three eighths of the bits
    assert tracks([(0, 0.0, ADA), (1, 5.0, changed)]) == [0, 0]


def test_a_face_that_was_partly_covered_is_compared_with_the_faces_before() -> None:
    covered = ADA.copy()
    covered[:12] ^= 0xFF
    assert tracks([(0, 0.0, ADA), (1, 0.0, covered), (2, 60.0, ADA)]) == [0, 0, 0]
    assert tracks([(0, 0.0, covered), (1, 60.0, ADA)]) == [0, 1], "the two alone are too different"
    long = [(number, 0.0, covered) for number in range(1, 4)]
    assert tracks([(0, 0.0, ADA), *long, (4, 60.0, ADA)]) == [0, 0, 0, 0, 1], "only the last three faces count"


def test_people_who_cross_keep_their_tracks() -> None:
    ada, bob = ([(number, x, who) for number, x in enumerate(xs)] for who, xs in crossing())
    faces = sorted([*ada, *bob], key=lambda face: face[0])
    found = tracks(faces)
    of_ada = {track for track, face in zip(found, faces, strict=True) if face[2] is ADA}
    of_bob = {track for track, face in zip(found, faces, strict=True) if face[2] is BOB}
    assert (len(of_ada), len(of_bob), of_ada & of_bob) == (1, 1, set())


def crossing() -> list[tuple[np.ndarray, list[float]]]:
    return [(ADA, [20.0 * number for number in range(11)]), (BOB, [200 - 20.0 * number for number in range(11)])]


def test_a_face_that_fits_two_tracks_begins_a_new_one() -> None:
    twins = [(0, 0.0, ADA), (0, 60.0, ADA), (1, 30.0, ADA)]
    assert tracks(twins) == [0, 1, 2]


def test_a_cut_ends_all_tracks() -> None:
    faces = [(number, 0.0, ADA) for number in range(4)]
    assert tracks(faces, {2: 1, 3: 1}) == [0, 0, 1, 1]


def vectors(*angles: float) -> np.ndarray:
    return np.array(
        [(np.cos(angle), np.sin(angle)) if angle >= 0 else (np.nan, np.nan) for angle in angles], np.float32
    )


def test_embeddings_join_tracks_of_one_person_across_a_cut() -> None:
    faces = [(0, 0.0, ADA), (1, 0.0, ADA), (2, 300.0, BOB), (3, 300.0, BOB)]
    cut = {2: 1, 3: 1}
    assert tracks(faces, cut, embeddings=vectors(0, 0.1, 0.05, 0.1), embedding_limit=0.4) == [0, 0, 0, 0]
    assert tracks(faces, cut, embeddings=vectors(0, 0.1, 1.5, 1.5), embedding_limit=0.4) == [0, 0, 1, 1]
    assert tracks(faces, cut, embeddings=vectors(0, 0.1, -1, -1), embedding_limit=0.4) == [0, 0, 1, 1]


def test_two_faces_of_one_frame_are_never_joined() -> None:
    faces = [(0, 0.0, ADA), (0, 300.0, BOB), (1, 0.0, ADA), (1, 300.0, BOB)]
    assert tracks(faces, embeddings=vectors(0, 0, 0, 0), embedding_limit=0.4) == [0, 1, 0, 1]


def test_a_third_track_that_saw_both_joins_only_one_of_them() -> None:
    faces = [(0, 0.0, ADA), (0, 300.0, BOB), (9, 600.0, ADA)]
    assert tracks(faces, embeddings=vectors(0, 0.02, 0.005), embedding_limit=0.4) == [0, 1, 0]


EVERYONE = np.ones(5, bool)


def ranks(time: list[float], fitness: list[float], yaw: list[float], track: list[int] | None = None) -> list[float]:
    count = len(time)
    columns = (np.array(values, np.float64) for values in (time, fitness, yaw, [0.0] * count))
    return rank_in_track(np.array(track or [0] * count, np.intp), *columns, 1.0, np.ones(count, bool)).tolist()


def test_the_fittest_face_is_the_best_shot_and_the_next_differs_in_time() -> None:
    found = ranks([0, 0.2, 0.4, 1.4, 2.0], [50, 90, 80, 70, 60], [0] * 5)
    assert found == pytest.approx([np.nan, 1, np.nan, 2, np.nan], nan_ok=True)


def test_another_pose_is_another_shot_at_the_same_time() -> None:
    assert ranks([0, 0.2], [50, 90], [0, 40]) == [2, 1]


def test_each_track_has_its_own_best_shot() -> None:
    assert ranks([0, 0, 5, 5], [50, 90, 60, 10], [0] * 4, [0, 1, 0, 1]) == [2, 1, 1, 2]


def test_an_unmeasured_fitness_is_the_least() -> None:
    assert ranks([0, 5], [np.nan, 1], [0, 0]) == [2, 1]


def test_only_faces_that_passed_have_a_rank_and_the_length_counts_all() -> None:
    track, zeros = np.array([0, 0, 1, 1, 1], np.intp), np.zeros(5)
    related = track_relations(track, np.arange(5) * 5.0, np.array([9.0, 1, 9, 5, 1]), zeros, zeros, 1.0)
    among = np.array([False, True, True, False, True])
    assert related["rank_in_track"](among).tolist() == pytest.approx([np.nan, 1, 1, np.nan, 2], nan_ok=True)
    assert related["track_length"](among).tolist() == [2, 2, 3, 3, 3]
