"""Where the five points go, and what the crop then shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facesieve.align import Aligner, affinities, homographies, similarities, template
from facesieve.records import Faces, Photo, Source


def turned(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ rotation.T * scale + np.array(shift)


def applied(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return mapped if len(matrix) == 2 else mapped[:, :2] / mapped[:, 2:]


def batch(pixels: np.ndarray, *landmarks: np.ndarray) -> tuple[list[Photo], Faces]:
    n = len(landmarks)
    faces = Faces(np.zeros(n, np.intp), np.zeros((n, 4)), np.ones(n), np.array(landmarks).reshape(n, 5, 2))
    return [Photo(Source("drawn"), "0" * 64, pixels, "array")], faces


def test_the_template_is_arcface_s_and_scales_with_the_crop() -> None:
    assert template(112)[2].tolist() == [56.0252, 71.7366]
    assert template(224) == pytest.approx(2 * template(112))


@pytest.mark.parametrize("fit", [similarities, affinities, homographies])
def test_a_moved_template_is_taken_back_exactly(fit) -> None:
    landmarks = np.stack([turned(template(112), 20, 1.7, (300, 40)), turned(template(112), -75, 0.2, (0, 9))])
    for matrix, points in zip(fit(landmarks, 112), landmarks, strict=True):
        assert applied(matrix, points) == pytest.approx(template(112), abs=1e-4)


def test_a_similarity_keeps_angles_and_is_the_inverse_fit() -> None:
    landmarks = template(112) + np.array([[0, 0], [3, -2], [5, 1], [-2, 4], [1, 1]])
    (matrix,) = similarities(landmarks[np.newaxis], 112)
    assert matrix[0, 0] == pytest.approx(matrix[1, 1]) and matrix[0, 1] == pytest.approx(-matrix[1, 0])
    # the oracle: least squares from template to landmarks over a, b, tx, ty, inverted
    rows = [[[x, -y, 1, 0], [y, x, 0, 1]] for x, y in template(112)]
    a, b, tx, ty = np.linalg.lstsq(np.reshape(rows, (10, 4)), landmarks.reshape(10), rcond=None)[0]
    assert matrix == pytest.approx(cv2.invertAffineTransform(np.array([[a, -b, tx], [b, a, ty]])), abs=1e-9)


@pytest.mark.parametrize("fit", [similarities, affinities, homographies])
def test_no_faces_have_no_maps(fit) -> None:
    assert len(fit(np.empty((0, 5, 2)), 112)) == 0


@pytest.mark.parametrize("alignment", ["similarity", "affine", "perspective"])
@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.column_stack([np.arange(5.0)] * 2)])
def test_landmarks_without_a_shape_still_give_a_finite_crop(alignment, points) -> None:
    crops = Aligner(alignment, 112)(*batch(np.full((50, 50, 3), 9, np.uint8), points)).crops
    assert crops.shape == (1, 112, 112, 3) and crops.dtype == np.uint8


@pytest.mark.parametrize("alignment", ["similarity", "affine", "perspective"])
def test_a_face_on_the_template_comes_out_as_it_is(alignment) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    (crop,) = Aligner(alignment, 112)(*batch(pixels, template(112))).crops
    assert np.abs(crop.astype(int) - pixels).max() <= 1


def test_an_upside_down_face_is_turned_upright() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    points = 111 - template(112)
    (crop,) = Aligner("similarity", 112)(*batch(pixels[::-1, ::-1].copy(), points)).crops
    assert np.abs(crop.astype(int) - pixels).max() <= 1


def test_what_lies_outside_the_photo_is_black() -> None:
    (crop,) = Aligner("similarity", 112)(*batch(np.full((112, 112, 3), 200, np.uint8), template(112) - (56, 0))).crops
    assert (crop[:, :55] == 0).all() and (crop[:, 57:] == 200).all()


def test_each_face_is_cut_from_its_own_photo_and_alone_as_in_a_batch() -> None:
    photos = [Photo(Source(str(v)), "", np.full((112, 112, 3), v, np.uint8), "array") for v in (10, 200)]
    landmarks = np.stack([template(112), template(112) + 3, template(112)])
    faces = Faces(np.array([0, 1, 1]), np.zeros((3, 4)), np.ones(3), landmarks)
    crops = Aligner("similarity", 112)(photos, faces).crops
    assert [int(c[60, 60, 0]) for c in crops] == [10, 200, 200]
    alone = Faces(faces.photo[1:2], faces.boxes[1:2], faces.confidence[1:2], landmarks[1:2])
    assert (Aligner("similarity", 112)(photos, alone).crops[0] == crops[1]).all()


def test_another_size_scales_the_template() -> None:
    pixels = np.full((300, 300, 3), 128, np.uint8)
    cv2.circle(pixels, (100, 100), 4, (255, 0, 0), -1)
    points = turned(template(112), 0, 1.0, (100 - 56.0252, 100 - 71.7366))
    (crop,) = Aligner("similarity", 224)(*batch(pixels, points)).crops
    assert crop.shape == (224, 224, 3)
    assert crop[143, 112].tolist() == [255, 0, 0]  # the nose, at twice its place


def test_no_faces_give_no_crops() -> None:
    assert Aligner("similarity", 112)([], Faces.none()).crops.shape == (0, 112, 112, 3)


@pytest.mark.parametrize(
    ("alignment", "fit"), [("similarity", similarities), ("affine", affinities), ("perspective", homographies)]
)
def test_the_matrices_of_the_crops_come_with_them(alignment, fit) -> None:
    landmarks = np.stack([turned(template(112), 20, 1.7, (300, 40)), template(112) + 3])
    photos = [Photo(Source("a"), "", np.zeros((200, 200, 3), np.uint8), "array")]
    faces = Faces(np.array([0, 0]), np.zeros((2, 4)), np.ones(2), landmarks)
    aligned = Aligner(alignment, 112)(photos, faces)
    assert (aligned.matrices == fit(landmarks, 112)).all() and aligned.matrices.dtype == np.float64
    assert aligned.matrices.shape == (2, 3 if alignment == "perspective" else 2, 3)
    assert len(Aligner(alignment, 112)([], Faces.none()).matrices) == 0
