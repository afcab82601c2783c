"""Pictures on their side or head: `turns` 4 searches them in all four turns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from facesieve import Photo, Pipeline, Settings, Source
from facesieve.detect import RotationSearch
from facesieve.records import Faces


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(Settings.load(turns=4))


def rgb(file: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(file))[..., ::-1])


def test_a_photo_turned_once_is_turned_clockwise_and_says_so() -> None:
    photo = Photo(Source("x"), "", np.arange(18, dtype=np.uint8).reshape(2, 3, 3), "array")
    quarter = photo.turned(90)
    assert (quarter.width, quarter.height, quarter.turn) == (2, 3, 90)
    np.testing.assert_array_equal(quarter.pixels[0, 1], photo.pixels[0, 0], "top left goes to top right")
    whole = quarter.turned(270)
    assert whole.turn == 0
    np.testing.assert_array_equal(whole.pixels, photo.pixels)


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_a_turned_portrait_has_the_faces_of_the_upright_one(
    pipeline: Pipeline, request: pytest.FixtureRequest, name: str, degrees: int
) -> None:
    pixels = rgb(request.getfixturevalue(name))
    upright, turned = pipeline.process([pixels, np.ascontiguousarray(np.rot90(pixels, -degrees // 90))])
    assert upright.photo is not None and turned.photo is not None
    assert (upright.photo.turn, turned.photo.turn) == (0, 360 - degrees)
    np.testing.assert_array_equal(turned.photo.pixels, pixels)
    assert len(upright.kept) == 1
    for mine, other in zip(turned.faces, upright.faces, strict=True):
        assert (mine.box, mine.measures, mine.verdict) == (other.box, other.measures, other.verdict)
        np.testing.assert_array_equal(mine.landmarks, other.landmarks)
        np.testing.assert_array_equal(mine.crop, other.crop)


def test_records_keep_their_order_when_some_pictures_are_turned(pipeline: Pipeline, astronaut: Path) -> None:
    pixels = rgb(astronaut)
    pictures = [pixels[::-1, ::-1].copy(), b"", np.full((90, 120, 3), 70, np.uint8), pixels]
    records = pipeline.process(pictures)
    assert [record.photo.turn if record.photo else None for record in records] == [180, None, 0, 0]
    assert [len(record.kept) for record in records] == [1, 0, 0, 1]


def test_without_the_setting_no_picture_is_turned(astronaut: Path) -> None:
    [record] = Pipeline(Settings.load()).process([rgb(astronaut)[::-1, ::-1].copy()])
    assert record.photo is not None and record.photo.turn == 0
    assert record.kept == ()


class Seen:
    """A detector that finds one face of the confidence that it has for the photo's turn, and counts its photos."""

    def __init__(self, confidence: dict[int, float]) -> None:
        self.confidence, self.turns = confidence, list[int]()

    def __call__(self, photos: Sequence[Photo]) -> Faces:
        self.turns += [photo.turn for photo in photos]
        found = np.array([self.confidence[photo.turn] for photo in photos])
        boxes, points = np.zeros((len(photos), 4)), np.zeros((len(photos), 5, 2))
        return Faces(np.arange(len(photos)), boxes, found, points)


@pytest.mark.parametrize(
    ("confidence", "turn", "searched"),
    [
        ({0: 0.999, 90: 1, 180: 1, 270: 1}, 0, [0]),
        ({0: 0.9, 90: 0.997, 180: 0.9999, 270: 0.999}, 180, [0, 90, 180, 270]),
        ({0: 0.9, 90: 0.9, 180: 0.99, 270: 0.994}, 0, [0, 90, 180, 270]),
        ({0: 0.99, 90: 1, 180: 1, 270: 1}, 0, [0]),
        ({0: 0.0, 90: 0.999, 180: 0.999, 270: 0.999}, 90, [0, 90, 180, 270]),
    ],
    ids=[
        "a confident face",
        "the surest turn wins",
        "no confident turn",
        "a face just confident enough",
        "the first of equals",
    ],
)
def test_only_a_picture_without_a_confident_face_is_searched_again(
    confidence: dict[int, float], turn: int, searched: list[int]
) -> None:
    detector = Seen(confidence)
    search = RotationSearch(detector, lambda _, faces: np.ones(len(faces), bool))
    [photo], faces = search([Photo(Source("x"), "", np.zeros((4, 6, 3), np.uint8), "array")])
    assert (photo.turn, detector.turns) == (turn, searched)
    assert faces.confidence.tolist() == [confidence[turn]]


def test_a_confident_face_that_is_not_upright_does_not_end_the_search() -> None:
    detector = Seen({0: 1.0, 90: 0.999, 180: 0.9, 270: 0.9})
    search = RotationSearch(detector, lambda photos, faces: np.full(len(faces), photos[0].turn == 90))
    [photo], _ = search([Photo(Source("x"), "", np.zeros((4, 6, 3), np.uint8), "array")])
    assert photo.turn == 90


def test_no_photos_are_no_faces() -> None:
    photos, faces = RotationSearch(Seen({}), lambda _, faces: np.ones(len(faces), bool))([])
    assert (photos, len(faces)) == ([], 0)
