"""What training/pose does to the angles of a face when it turns the picture."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "training" / "pose"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])


def test_angles_come_back_from_their_rotations() -> None:
    from rotations import to_degrees, to_rotations

    degrees = np.random.default_rng(18).uniform(-80, 80, (20, 3))
    assert to_degrees(to_rotations(degrees)) == pytest.approx(degrees)


def test_turning_the_picture_adds_to_roll_only_if_the_face_looks_at_the_camera() -> None:
    from rotations import turned

    [frontal, aside] = turned(np.array([[0.0, 0, 5], [10, 20, 0]]), np.array([20.0, 20]))
    assert frontal == pytest.approx([0, 0, 25])
    assert aside == pytest.approx([2.25, 22.16, 21.33], abs=0.01)
