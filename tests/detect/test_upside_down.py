"""Faces that the detector took for upright although they are upside down."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facesieve import Pipeline, Policy, Record, Settings
from facesieve.detect import UpsideDownCheck, load_detector
from facesieve.models.store import Store
from facesieve.records import Faces

CHECKED = 90  # degrees: no preset allows so much roll, and without the check no pose model answers so much


def rgb(file: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(file))[..., ::-1])


def turned(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """The picture turned clockwise, on black."""
    height, width = pixels.shape[:2]
    side = int(np.hypot(height, width))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    matrix[:, 2] += (side - width) / 2, (side - height) / 2
    return cv2.warpAffine(pixels, matrix, (side, side))


@pytest.fixture(scope="module", params=["native", "onnxruntime"])
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    if request.param == "native":
        pytest.importorskip("facesieve._native")
    return Pipeline(Settings.load(engine=request.param), Policy.preset("lenient"))


def verdicts(record: Record) -> list[tuple[bool, tuple[str, ...]]]:
    return [(face.verdict.kept, face.verdict.reasons) for face in record.faces if face.confidence > 0.95]


@pytest.mark.parametrize("degrees", [170, 180, 190, 200])
def test_an_upside_down_face_has_half_a_turn_of_roll_and_is_tilted(
    pipeline: Pipeline, hopper: Path, degrees: int
) -> None:
    [record] = pipeline.process([turned(rgb(hopper), degrees)])
    assert verdicts(record) == [(False, ("tilted",))]
    [roll] = [face.measures["roll"] for face in record.faces if face.confidence > 0.95]
    [upright] = [face.measures["roll"] for face in pipeline.process([rgb(hopper)])[0].faces if face.confidence > 0.95]
    assert abs((roll - upright - degrees + 180) % 360 - 180) < 8


@pytest.mark.parametrize("degrees", [220, 240])
def test_a_face_that_is_aligned_upside_down_is_tilted_in_a_slanted_picture_too(
    pipeline: Pipeline, astronaut: Path, degrees: int
) -> None:
    [record] = pipeline.process([turned(rgb(astronaut), degrees)])
    assert verdicts(record) == [(False, ("tilted",))]


@pytest.mark.parametrize("degrees", [-30, 0, 30])
def test_an_upright_or_leaning_face_keeps_its_roll(
    pipeline: Pipeline, astronaut: Path, hopper: Path, degrees: int
) -> None:
    for file in (astronaut, hopper):
        [record] = pipeline.process([turned(rgb(file), degrees)])
        sure = [face for face in record.faces if face.confidence > 0.95]
        assert [face.verdict.kept for face in sure] == [True]
        assert np.sign(round(sure[0].measures["roll"] / 20)) == np.sign(degrees)


def test_the_answer_for_a_face_does_not_depend_on_its_batch(pipeline: Pipeline, astronaut: Path, hopper: Path) -> None:
    pictures = [rgb(astronaut), turned(rgb(hopper), 180), rgb(hopper), turned(rgb(astronaut), 225)]
    together = pipeline.process(pictures)
    for record, picture in zip(together, pictures, strict=True):
        [alone] = pipeline.process([picture])
        assert [face.measures["roll"] for face in record.faces] == [face.measures["roll"] for face in alone.faces]


def test_no_faces_are_no_answers() -> None:
    settings = Settings.load()
    check = UpsideDownCheck(load_detector(settings, Store(settings)))
    none = np.empty((0, 112, 112, 3), np.uint8)
    assert check([], Faces.none(), none).tolist() == []
    assert check.upright(none).tolist() == []


def test_without_a_pose_there_is_no_roll_to_mend(hopper: Path) -> None:
    [record] = Pipeline(Settings.load(pose="none")).process([turned(rgb(hopper), 180)])
    assert all(np.isnan(face.measures["roll"]) for face in record.faces)


@pytest.mark.slow
def test_on_labelled_photos_upright_faces_stay_and_upside_down_ones_go(shared: Path) -> None:
    pipeline = Pipeline(Settings.load(), Policy.preset("lenient"))
    folders = {"wider_val_dev": "**/*.jpg", "aflw2000_dev": "*.jpg", "lfw_dev": "**/*.jpg", "portraits_dev": "**/*.*"}
    files = {name: sorted((shared / "data" / name).glob(pattern)) for name, pattern in folders.items()}
    for name, some in files.items():
        for record in pipeline.stream(some):
            over = [face for face in record.faces if abs(face.measures["roll"]) > CHECKED]
            assert not [face for face in over if face.verdict.reasons == ("tilted",)], record.source.name
        if name == "wider_val_dev":
            continue  # one of its photos is upside down
        upside_down = (rgb(file)[::-1, ::-1].copy() for file in some)
        kept = [file.name for file, record in zip(some, pipeline.stream(upside_down), strict=True) if record.kept]
        assert len(kept) <= len(some) // 300, kept
