"""The cascade on real portraits, and against the answers of the package whose semantics it follows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from facesieve.detect import Mtcnn, load_detector
from facesieve.detect.networks import STRIP_PIXELS, OnnxNetworks, _strips
from facesieve.models.session import Session
from facesieve.models.store import Store
from facesieve.records import Faces, Photo, Source
from facesieve.settings import Settings


def photo(file: Path) -> Photo:
    pixels = cv2.cvtColor(cv2.imread(str(file), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return Photo(Source(str(file)), "", pixels, "")


def drawn(pixels: np.ndarray) -> Photo:
    return Photo(Source("drawn"), "", pixels, "array")


@pytest.fixture(scope="module")
def detect() -> Mtcnn:
    settings = Settings.load()
    return load_detector(settings, Store(settings))


def corners(faces: Faces) -> np.ndarray:
    """What the reference publishes: whole pixels by truncation, and the top left corner not below zero."""
    x1y1 = np.maximum(np.trunc(faces.boxes[:, :2]), 0)
    return np.hstack([x1y1, np.trunc(faces.boxes[:, :2] + faces.boxes[:, 2:])])


def test_a_batch_of_no_photos_has_no_faces(detect: Mtcnn) -> None:
    assert len(detect([])) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (19, 19), (20, 20), (64, 48)])
def test_a_photo_of_nothing_has_no_faces_whatever_its_size(detect: Mtcnn, size: tuple[int, int]) -> None:
    faces = detect([drawn(np.full((*size, 3), 128, np.uint8))])
    assert faces.boxes.shape == (0, 4) and faces.landmarks.shape == (0, 5, 2)


def test_the_astronaut_has_one_face_where_a_person_sees_it(detect: Mtcnn, astronaut: Path) -> None:
    faces = detect([photo(astronaut)])
    assert len(faces) == 1
    x, y, w, h = faces.boxes[0]
    assert (x, y, w, h) == pytest.approx((177, 67, 93, 123), abs=12)
    assert faces.confidence[0] > 0.999


def test_landmarks_are_the_viewer_s_left_eye_right_eye_nose_and_mouth_corners(detect: Mtcnn, astronaut: Path) -> None:
    left_eye, right_eye, nose, left_mouth, right_mouth = detect([photo(astronaut)]).landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_a_mirrored_photo_has_mirrored_landmarks(detect: Mtcnn, astronaut: Path) -> None:
    plain = photo(astronaut)
    mirrored = detect([drawn(np.ascontiguousarray(plain.pixels[:, ::-1]))]).landmarks[0]
    expected = detect([plain]).landmarks[0] * (-1, 1) + (plain.width - 1, 0)
    assert mirrored[[1, 0, 2, 4, 3]] == pytest.approx(expected, abs=4)


def test_a_batch_gives_each_photo_what_it_gets_alone(detect: Mtcnn, astronaut: Path, hopper: Path) -> None:
    photos = [photo(hopper), drawn(np.zeros((300, 200, 3), np.uint8)), photo(astronaut), photo(hopper)]
    together = detect(photos)
    assert sorted(set(together.photo.tolist())) == [0, 2, 3]
    for index, one in enumerate(photos):
        alone, own = detect([one]), together.photo == index
        assert together.boxes[own].tolist() == alone.boxes.tolist()
        assert together.confidence[own].tolist() == alone.confidence.tolist()
        assert together.landmarks[own].tolist() == alone.landmarks.tolist()


def test_a_larger_smallest_face_leaves_out_smaller_faces(astronaut: Path) -> None:
    settings = Settings.load(min_face_size=400)
    assert len(load_detector(settings, Store(settings))([photo(astronaut)])) == 0


def large_and_sure(detect: Mtcnn, one: Photo) -> np.ndarray:
    """Boxes of at least 48 pixels and confidence .995."""
    faces = detect([one])
    return faces.boxes[(faces.confidence >= 0.995) & (faces.boxes[:, 2:].min(axis=1) >= 48)]


def distances(boxes: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Largest difference between each box (n, 4) and the nearest of others (m, 4): (n,)."""
    return abs(boxes[:, None] - among[None]).max(axis=2).min(axis=1, initial=np.inf)


def test_a_larger_smallest_face_does_not_move_larger_faces(detect: Mtcnn, astronaut: Path, hopper: Path) -> None:
    settings = Settings.load(min_face_size=40)
    from_40 = load_detector(settings, Store(settings))
    smaller = cv2.resize(photo(astronaut).pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    for one in (photo(astronaut), photo(hopper), drawn(smaller)):
        boxes = large_and_sure(detect, one)
        assert len(boxes) == 1
        assert distances(boxes, from_40([one]).boxes) == pytest.approx(0, abs=1e-3)


def test_a_threshold_that_nothing_reaches_lets_nothing_through(astronaut: Path) -> None:
    settings = Settings.load(steps_threshold=(0.6, 0.7, 1.0))
    assert len(load_detector(settings, Store(settings))([photo(astronaut)])) == 0


@pytest.mark.parametrize("height", [12, 13, 23, 24, 25, 1000, 1001, 1043, 2000])
@pytest.mark.parametrize("count", [1, 3])
def test_bands_of_a_level_have_the_map_rows_of_the_whole(height: int, count: int) -> None:
    bands = list(_strips(np.zeros((count, height, 1024, 3), np.uint8), STRIP_PIXELS))
    heights = [band.shape[1] for band in bands]
    assert all(band.shape[0] == count for band in bands)
    assert all(height % 2 == 0 for height in heights[:-1])
    assert sum((height - 10) // 2 for height in heights) == (height - 10) // 2


@pytest.mark.parametrize("engine", ["onnxruntime", "auto"])
def test_photos_of_one_size_are_seen_together_and_found_in_order(astronaut: Path, engine: str) -> None:
    settings = Settings.load(engine=engine)
    detect, pixels = load_detector(settings, Store(settings)), photo(astronaut).pixels
    photos = [drawn(one) for one in (pixels, pixels[:301], pixels[:, ::-1], pixels[:301, ::-1], np.zeros_like(pixels))]
    together, alone = detect(photos), [detect([one]) for one in photos]
    assert together.photo.tolist() == [index for index, faces in enumerate(alone) for _ in range(len(faces))]
    assert together.boxes.tolist() == np.concatenate([faces.boxes for faces in alone]).tolist()
    assert together.confidence.tolist() == np.concatenate([faces.confidence for faces in alone]).tolist()
    assert [len(faces) for faces in alone] == [1, 1, 1, 1, 0]


@pytest.mark.parametrize("strip_pixels", [4000, 2**17, 2**22])
def test_photos_seen_together_are_not_looked_at_twice(astronaut: Path, strip_pixels: int) -> None:
    """Bands overlap, so P-Net must not see more of them because there are more photos."""
    pnet, *others = (Session(part, 1) for part in Store(Settings.load()).load("mtcnn").values())
    seen: list[int] = []

    def counted(level: np.ndarray) -> Sequence[np.ndarray]:
        seen.append(level[..., 0].size)
        return pnet(level)

    networks = OnnxNetworks(counted, *others, strip_pixels=strip_pixels)
    pixels = photo(astronaut).pixels[:301]
    networks.propose([pixels] * 5, [0.5, 0.1], 0.6)
    together, runs = sum(seen), len(seen)
    seen.clear()
    for _ in range(5):
        networks.propose([pixels], [0.5, 0.1], 0.6)
    assert together == sum(seen)
    assert runs < len(seen)


def test_a_level_in_bands_gives_the_map_of_the_whole(astronaut: Path) -> None:
    nets = [Session(part, 1) for part in Store(Settings.load()).load("mtcnn").values()]
    pixels = drawn(photo(astronaut).pixels[:301])
    whole, banded = (
        Mtcnn(OnnxNetworks(*nets, strip_pixels=size), 20, 0.709, (0.6, 0.7, 0.7))([pixels]) for size in (2**22, 4000)
    )
    assert len(whole) == 1
    assert banded.boxes == pytest.approx(whole.boxes, abs=1e-3)
    assert banded.confidence == pytest.approx(whole.confidence, abs=1e-5)


def matches(faces: Faces, golden: list[dict]) -> tuple[int, int, float]:
    """How many golden faces have a partner of ours, how many are equal to the pixel, and the largest confidence gap."""
    matched = equal = 0
    gap = 0.0
    boxes, points, free = corners(faces), np.trunc(faces.landmarks), set(range(len(faces)))
    for face in golden:
        distances = {i: np.abs(boxes[i] - face["box"]).max() for i in free}
        best = min(distances, key=distances.get, default=None)
        if best is None or distances[best] > 3:
            continue
        free.remove(best)
        matched += 1
        if (boxes[best] == face["box"]).all() and (points[best] == face["points"]).all():
            equal += 1
            gap = max(gap, abs(faces.confidence[best] - face["confidence"]))
    return matched, equal, gap


def test_the_seed_photo_has_the_reference_s_38_faces(detect: Mtcnn, shared: Path) -> None:
    golden = json.loads((shared / "seed/golden/mtcnn-0.1.1-famous-selfie.json").read_text())["famous-selfie.jpg"]
    faces = detect([photo(shared / "seed/famous-selfie.jpg")])
    assert len(faces) == 38
    matched, equal, gap = matches(faces, golden)
    assert (matched, equal) == (38, 38) and gap <= 1e-5
    assert (faces.confidence >= 0.995).sum() == 28


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_all_of_wider_val_has_the_golden_answers_to_the_pixel_and_in_order(engine: str, shared: Path) -> None:
    if engine == "native":
        pytest.importorskip("facesieve._native", reason="the extension was not built")
    settings = Settings.load(engine=engine)
    detect = load_detector(settings, Store(settings))
    golden = json.loads((shared / "seed/golden/mtcnn-0.1.1-wider_val_dev.json").read_text())
    assert sum(map(len, golden.values())) == 1139
    for name, answers in golden.items():
        faces = detect([photo(shared / "data/wider_val_dev/images" / name)])
        assert corners(faces).tolist() == [face["box"] for face in answers], name
        assert np.trunc(faces.landmarks).tolist() == [face["points"] for face in answers], name
        assert faces.confidence.tolist() == pytest.approx([face["confidence"] for face in answers], abs=1e-5), name


@pytest.mark.slow
def test_a_smallest_face_of_40_finds_every_sure_face_of_48_pixels_that_20_finds(detect: Mtcnn, shared: Path) -> None:
    """One of 250 moves, by two pixels: there a window of a level left out had won over the others."""
    settings = Settings.load(min_face_size=40)
    from_40 = load_detector(settings, Store(settings))
    moves = [np.empty(0)]
    for file in sorted((shared / "data/wider_val_dev/images").rglob("*.jpg")):
        one = photo(file)
        if len(boxes := large_and_sure(detect, one)):
            moves.append(distances(boxes, from_40([one]).boxes))
    moved = np.concatenate(moves)
    assert len(moved) == 250
    assert moved.max() < 3 and (moved > 1e-3).sum() == 1
