"""Upright crops of fixed size: each face is moved so that its five landmarks lie where a template has them.

The template is ArcFace's (Deng et al., 2019, https://arxiv.org/abs/1801.07698; `arcface_dst` of InsightFace). It is
published for 112 x 112 pixels, and is scaled for other sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import cv2
import numpy as np

from facesieve.align.warp import warp_affine
from facesieve.native import Extension
from facesieve.records import TEMPLATE_SIZE, Faces, Floats, Photo, Pixels

Alignment = Literal["similarity", "affine", "perspective"]


def template(size: int) -> Floats:
    """Where the five landmarks belong in a crop of `size` x `size` pixels: (5, 2) float64, x and y in pixels."""
    points = [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
    return np.array(points) * (size / TEMPLATE_SIZE)


def similarities(landmarks: Floats, size: int) -> Floats:
    """Similarity transforms of (N, 5, 2) landmarks onto the template: (N, 2, 3) float64, photo to crop.

    The template is fitted to the landmarks by least squares, and the result is inverted, as MATLAB's `cp2tform` and the
    alignments built on it do. Fitting the landmarks to the template would shrink faces that are turned away.
    There is a closed form: with both sets of points centred and read as complex numbers, the factor from template to
    photo is <t, p> / <t, t>. Landmarks that coincide have no scale, so their matrix is zero.
    """
    target = template(size)
    mean, goal = landmarks.mean(axis=1), target.mean(axis=0)
    p, t = landmarks - mean[:, np.newaxis], target - goal
    along = (p * t).sum(axis=(1, 2))
    across = (p[..., 1] * t[:, 0] - p[..., 0] * t[:, 1]).sum(axis=1)
    power = along**2 + across**2
    inverse = np.divide((t**2).sum(), power, out=np.zeros_like(power), where=power > 0)
    a, b = along * inverse, across * inverse
    linear = np.stack([np.stack([a, b], axis=1), np.stack([-b, a], axis=1)], axis=1)
    shift = goal - np.einsum("nij,nj->ni", linear, mean)
    return np.concatenate([linear, shift[..., np.newaxis]], axis=2)


def affinities(landmarks: Floats, size: int) -> Floats:
    """Least-squares affine transforms of (N, 5, 2) landmarks onto the template: (N, 2, 3) float64, photo to crop."""
    homogeneous = np.concatenate([landmarks, np.ones((len(landmarks), 5, 1))], axis=2)
    solved: Floats = np.linalg.pinv(homogeneous) @ template(size)
    return solved.transpose(0, 2, 1)


def homographies(landmarks: Floats, size: int) -> Floats:
    """Least-squares perspective transforms of (N, 5, 2) landmarks onto the template: (N, 3, 3) float64, photo to crop.

    For five points that coincide or lie on a line there is none; the similarity takes its place.
    """
    maps = np.zeros((len(landmarks), 3, 3))
    maps[:, :2], maps[:, 2, 2] = similarities(landmarks, size), 1
    for index, points in enumerate(landmarks):
        found = cv2.findHomography(points, template(size), 0)[0]
        if found is not None:
            maps[index] = found
    return maps


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """N aligned faces.

    crops: (N, size, size, 3) uint8 RGB; bilinear, black outside the photo.
    matrices: float64, from pixels of the photo to pixels of the crop, as `cv2.warpAffine` and `cv2.warpPerspective`
    take them: (N, 2, 3) of `similarity` and `affine`, (N, 3, 3) of `perspective`.
    """

    crops: Pixels
    matrices: Floats


class Aligner:
    """Cuts every face of a batch out of its photo, with its landmarks on the template.

    alignment: `similarity` keeps the proportions of the face, and recognition networks are trained on it; `affine` and
    `perspective` bring the landmarks nearer to the template but distort the face. size: side of the crop in pixels.
    extension: computes the warp; None leaves it to OpenCV, which returns the same bytes.
    """

    def __init__(self, alignment: Alignment, size: int, extension: Extension | None = None) -> None:
        self._fit = {"similarity": similarities, "affine": affinities, "perspective": homographies}[alignment]
        self._warp = _warp_perspective if alignment == "perspective" else partial(warp_affine, extension=extension)
        self._size = size

    def __call__(self, photos: Sequence[Photo], faces: Faces) -> Aligned:
        """The crops of N faces of a batch of photos, in the order of the faces."""
        crops = np.empty((len(faces), self._size, self._size, 3), np.uint8)
        matrices = self._fit(faces.landmarks, self._size)
        for photo in np.flatnonzero(np.bincount(faces.photo)).tolist():  # `np.unique` imports masked arrays
            own = faces.photo == photo
            crops[own] = self._warp(photos[photo].pixels, matrices[own], self._size)
        return Aligned(crops, matrices)


def _warp_perspective(pixels: Pixels, matrices: Floats, size: int) -> Pixels:
    crops = [cv2.warpPerspective(pixels, matrix, (size, size), flags=cv2.INTER_LINEAR) for matrix in matrices]
    return np.array(crops, np.uint8).reshape(-1, size, size, 3)
