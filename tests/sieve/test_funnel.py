"""The reference policy on the reference's own photo gives the published funnel."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from facesieve.quality.blur import blur, luma
from facesieve.records import Measures
from facesieve.sieve import Policy, judge

TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)


def to_crop(landmarks: np.ndarray) -> np.ndarray:
    """The least-squares similarity from template to photo, turned round; over complex numbers it is one division."""
    points, target = (xy - xy.mean(axis=0) for xy in (TEMPLATE, landmarks))
    p, q = points @ (1, 1j), target @ (1, 1j)
    turn = (q * p.conj()).sum() / (p * p.conj()).sum().real
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    back = np.c_[matrix, landmarks.mean(axis=0) - matrix @ TEMPLATE.mean(axis=0)]
    return cv2.invertAffineTransform(back)


def test_of_38_faces_28_are_sure_and_5_of_these_not_blurred(shared: Path) -> None:
    golden = json.loads((shared / "seed/golden/mtcnn-0.1.1-famous-selfie.json").read_text())["famous-selfie.jpg"]
    photo = cv2.cvtColor(cv2.imread(str(shared / "seed/famous-selfie.jpg")), cv2.COLOR_BGR2RGB)
    matrices = [to_crop(np.array(face["points"], float)) for face in golden]
    crops = np.array([cv2.warpAffine(photo, matrix, (112, 112)) for matrix in matrices])
    confidence = np.array([face["confidence"] for face in golden])
    level = np.zeros(len(golden))
    faces = Measures({"confidence": confidence, "blur": blur(luma(crops)), "yaw": level, "pitch": level, "roll": level})
    verdicts = judge(Policy.preset(), faces)
    assert len(verdicts) == 38
    assert sum("low_confidence" not in verdict.reasons for verdict in verdicts) == 28
    assert sum(verdict.kept for verdict in verdicts) == 5
