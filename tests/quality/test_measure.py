"""What holds for all measures together."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facesieve.quality import MEASURES, measure
from facesieve.records import Faces, Measures, Photo, Poses, Source

PUBLISHED = {(521, 340): 148.84, (549, 140): 147.88, (295, 277): 132.15, (546, 388): 109.73}


def rows(inputs: tuple[Any, ...], which: slice) -> Measures:
    """Measures of some faces of a batch, every face still knowing its photo."""
    photos, faces, crops, matrices, pose = inputs
    some = Faces(faces.photo[which], faces.boxes[which], faces.confidence[which], faces.landmarks[which])
    return measure(photos, some, crops[which], matrices[which], Poses(pose.degrees[which], pose.spread[which]))


def test_no_faces_give_zero_rows_of_every_measure() -> None:
    nothing = measure([], Faces.none(), np.empty((0, 112, 112, 3), np.uint8), np.empty((0, 2, 3)), Poses.unmeasured(0))
    assert list(nothing.columns) == [row.name for row in MEASURES]
    assert all(column.shape == (0,) and column.dtype == np.float64 for column in nothing.columns.values())


def test_a_face_measures_the_same_alone_and_in_any_batch(eileen: Any, grace: Any, inputs: Callable[..., Any]) -> None:
    spoilt = [eileen, grace.blurred(2), eileen.noisy(20), grace.shrunk(3), eileen.exposed(1.6), grace.compressed(10)]
    batch = inputs([*spoilt, *spoilt, *spoilt])
    together = rows(batch, slice(None))
    for start, stop in [(index, index + 1) for index in range(18)] + [(3, 17), (1, 4)]:
        apart = rows(batch, slice(start, stop))
        for name, column in together.columns.items():
            np.testing.assert_array_equal(column[start:stop], apart[name], err_msg=name)


def test_the_number_of_threads_does_not_change_a_measure(eileen: Any, inputs: Callable[..., Any]) -> None:
    batch = inputs([eileen, eileen.blurred(1)])
    before = cv2.getNumThreads()
    try:
        answers = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            answers.append(rows(batch, slice(None)))
    finally:
        cv2.setNumThreads(before)
    for name in answers[0].columns:
        np.testing.assert_array_equal(answers[0][name], answers[1][name], err_msg=name)


def test_every_value_lies_in_the_range_the_table_gives(portrait: Any, measured: Callable[..., Measures]) -> None:
    series = [portrait.blurred(9), portrait.exposed(0.0), portrait.exposed(9.0), portrait.noisy(90), portrait.shrunk(4)]
    answer = measured([portrait, *series])
    for row in MEASURES:
        column = answer[row.name]
        assert ((column >= row.low) & (column <= row.high)).all(), (row.name, column)


def test_confidence_and_pose_pass_through_and_what_is_unmeasured_stays_so(
    eileen: Any, inputs: Callable[..., Any]
) -> None:
    photos, faces, crops, matrices, _ = inputs([eileen, eileen])
    pose = Poses(np.array([(-3.0, 14.0, 2.5), (np.nan, np.nan, np.nan)]), np.array([4.5, np.nan]))
    answer = measure(photos, faces, crops, matrices, pose)
    assert answer["confidence"].tolist() == [0.99, 0.99]
    assert answer.row(0)["pitch"] == -3.0
    assert answer.row(0)["yaw"] == 14.0
    assert answer.row(0)["roll"] == 2.5
    assert answer.row(0)["pose_spread"] == 4.5
    unmeasured = [name for name, value in answer.row(1).items() if math.isnan(value)]
    assert unmeasured == ["pitch", "yaw", "roll", "inter_eye_distance_score", "pose_spread"]


def test_a_degenerate_transform_costs_one_row_not_the_batch(eileen: Any, inputs: Callable[..., Any]) -> None:
    photos, faces, crops, matrices, pose = inputs([eileen, eileen])
    sound = measure(photos, faces, crops, matrices, pose)
    matrices[0] = 0
    broken = measure(photos, faces, crops, matrices, pose)
    assert broken["outside"][0] == 1.0
    assert math.isnan(broken["sharpness"][0])
    assert sound["sharpness"][1] == broken["sharpness"][1]


def test_the_published_blur_values_come_out_within_one_percent(
    shared: Path, eileen: Any, inputs: Callable[..., Any]
) -> None:

    pixels = cv2.cvtColor(cv2.imread(str(shared / "seed/famous-selfie.jpg")), cv2.COLOR_BGR2RGB)
    golden = json.loads((shared / "seed/golden/mtcnn-0.1.1-famous-selfie.json").read_text())["famous-selfie.jpg"]
    faces = [face for face in golden if tuple(face["box"][:2]) in PUBLISHED]
    assert len(faces) == 4
    answer = rows(
        inputs([replace(eileen, pixels=pixels, landmarks=np.array(face["points"], float)) for face in faces]),
        slice(None),
    )
    published = [PUBLISHED[tuple(face["box"][:2])] for face in faces]
    np.testing.assert_allclose(answer["blur"], published, rtol=0.01)


def test_grey_is_taken_from_rgb_and_not_from_bgr() -> None:
    crops = np.zeros((1, 112, 112, 3), np.uint8)
    crops[:, :, ::2, 0] = 255
    photo = Photo(Source("x"), "", np.zeros((112, 112, 3), np.uint8), "array")
    faces = Faces(np.zeros(1, np.intp), np.ones((1, 4)), np.ones(1), np.zeros((1, 5, 2)))
    answer = measure([photo], faces, crops, np.eye(3)[None, :2], Poses.unmeasured(1))
    # Red is 76 of 255 in BT.601 luma: columns alternate between 0 and 76, the Laplacian between +152 and -152.
    assert answer["blur"][0] == pytest.approx(152**2, rel=1e-9)
