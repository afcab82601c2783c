from __future__ import annotations

import numpy as np
import pytest

from facesieve.pose.angles import to_reference
from facesieve.pose.geometric import MODEL, geometric
from facesieve.records import Faces, Floats
from pose_formulas import to_rotations


def seen(degrees: Floats, scale: float = 40, at: tuple[float, float] = (300, 200)) -> Faces:
    """The five points of heads turned by `degrees` (N, 3), in the reference's signs, as a picture shows them."""
    turned = MODEL @ to_rotations(to_reference(degrees)).transpose(0, 2, 1)
    landmarks = turned[..., :2] * (scale, -scale) + at
    return Faces(np.zeros(len(degrees), np.intp), np.zeros((len(degrees), 4)), np.ones(len(degrees)), landmarks)


def test_the_pose_that_made_the_points_comes_back_whatever_their_size_and_place() -> None:
    degrees = np.random.default_rng(0).uniform(-60, 60, (100, 3))
    np.testing.assert_allclose(geometric([], seen(degrees)), degrees, atol=1e-6)
    np.testing.assert_allclose(geometric([], seen(degrees, 7, (-50, 3000))), degrees, atol=1e-6)


def test_no_faces_are_no_poses() -> None:
    assert geometric([], Faces.none()).shape == (0, 3)


def test_five_points_in_one_place_are_still_numbers() -> None:
    faces = Faces(np.zeros(1, np.intp), np.zeros((1, 4)), np.ones(1), np.zeros((1, 5, 2)))
    assert np.isfinite(geometric([], faces)).all()


def drawn(nose: tuple[float, float], clockwise: float = 0) -> Faces:
    """A face of 100 x 90 pixels as one sees it, y downwards, turned clockwise in the picture by some degrees."""
    points = np.array([[0, 0], [100, 0], nose, [10, 90], [90, 90]], float)
    cos, sin = np.cos(np.radians(clockwise)), np.sin(np.radians(clockwise))
    turned = points @ np.array([[cos, sin], [-sin, cos]])
    return Faces(np.zeros(1, np.intp), np.zeros((1, 4)), np.ones(1), turned[None])


@pytest.mark.parametrize(
    ("faces", "angle", "sign"),
    [
        (drawn(nose=(70, 45)), "yaw", 1),
        (drawn(nose=(30, 45)), "yaw", -1),
        (drawn(nose=(50, 25)), "pitch", 1),
        (drawn(nose=(50, 75)), "pitch", -1),
        (drawn(nose=(50, 45), clockwise=30), "roll", 1),
        (drawn(nose=(50, 45), clockwise=-30), "roll", -1),
    ],
)
def test_signs_are_those_of_a_drawn_face(faces: Faces, angle: str, sign: int) -> None:
    ((pitch, yaw, roll),) = geometric([], faces)
    assert sign * {"pitch": pitch, "yaw": yaw, "roll": roll}[angle] > 10
