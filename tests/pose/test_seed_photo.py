"""Sievepose on the photo of the reference: published decisions, at several sizes and on turned and mirrored copies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facesieve import Pipeline, Record, Settings
from facesieve.detect import load_detector
from facesieve.models.store import Store
from facesieve.pose import HeadPose
from facesieve.records import Faces, Floats, Photo, Source

FIVE = np.array([(521, 340), (549, 140), (295, 277), (546, 388), (431, 259)])  # x, y of the boxes; the last is rejected
LIMITS = (20, 45, 25)  # pitch, yaw, roll of the policy `reference`
ANGLES = ("pitch", "yaw", "roll")


@pytest.fixture(scope="module")
def photo(shared: Path) -> Photo:
    pixels = cv2.imread(str(shared / "seed" / "famous-selfie.jpg"))[..., ::-1]
    return Photo(Source("seed"), "", np.ascontiguousarray(pixels), "array")


@pytest.fixture(scope="module")
def faces(photo: Photo) -> Faces:
    found = load_detector(Settings(), Store(Settings()))([photo])
    return found.take(abs(found.boxes[:, None, :2] - FIVE).sum(axis=2).argmin(axis=0))


def pose(photos: list[Photo], faces: Faces) -> Floats:
    return HeadPose(Settings(), Store(Settings()))(photos, faces).degrees


def shrunk(photo: Photo, faces: Faces, row: int, size: int) -> tuple[Photo, np.ndarray]:
    """The photo shrunk until the longer side of one box has `size` pixels, and that box."""
    box = faces.boxes[row].copy()
    before = np.array(photo.pixels.shape[1::-1])
    after = np.rint(before * size / box[2:].max()).astype(int)
    small = cv2.resize(photo.pixels, after.tolist(), interpolation=cv2.INTER_AREA)
    return replace(photo, pixels=small), box * np.tile(after / before, 2)


@pytest.mark.parametrize("size", [0, 64, 40, 24])
def test_the_first_four_are_within_the_limits_and_the_fifth_is_not(photo: Photo, faces: Faces, size: int) -> None:
    each = [shrunk(photo, faces, row, size) if size else (photo, faces.boxes[row]) for row in range(5)]
    small = Faces(np.arange(5), np.array([box for _, box in each]), faces.confidence, faces.landmarks)
    degrees = pose([one for one, _ in each], small)
    assert (abs(degrees) <= LIMITS).all(axis=1).tolist() == [True, True, True, True, False]


def test_the_mirrored_photo_has_the_mirrored_poses(photo: Photo, faces: Faces) -> None:
    mirrored = replace(photo, pixels=np.ascontiguousarray(photo.pixels[:, ::-1]))
    boxes = faces.boxes.copy()
    boxes[:, 0] = photo.width - boxes[:, 0] - boxes[:, 2]
    other = pose([mirrored], replace(faces, boxes=boxes)) * (1, -1, -1)
    assert abs(other - pose([photo], faces)).mean() <= 1


def of(record: Record) -> list[list[float]]:
    """Confidence, angles and verdict of each face."""
    return [[face.confidence, *(face.measures[angle] for angle in ANGLES), face.verdict.kept] for face in record.faces]


def test_copies_turned_by_exif_or_searched_in_all_turns_have_the_same_poses_and_verdicts(
    photo: Photo, tmp_path: Path
) -> None:
    picture = Image.fromarray(photo.pixels)
    exif, how = Image.Exif(), {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    files = [tmp_path / "1.png"]
    picture.save(files[0])
    for orientation, turn in how.items():
        exif[0x0112] = orientation
        files.append(tmp_path / f"{orientation}.png")
        picture.transpose(turn).save(files[-1], exif=exif)
    upside_down = np.ascontiguousarray(photo.pixels[::-1, ::-1])
    plain, *turned = Pipeline(Settings(turns=4)).process([*files, upside_down])
    assert sum(face.verdict.kept for face in plain.faces) >= 4
    for record in turned:
        assert of(record) == of(plain)
