"""From five landmarks to an upright crop of fixed size: where the points belong, and the warp that takes them there.

The template is ArcFace's (Deng et al., 2019; InsightFace's `arcface_dst`), given for 112 x 112 and scaled for
other sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import cv2
import numpy as np

from facesieve.align.warp import warp_affine
from facesieve.native import Extension
from facesieve.records import Faces, Floats, Photo, Pixels

Alignment = Literal["similarity", "affine", "perspective"]

TEMPLATE_SIZE = 112


def template(size: int) -> Floats:
    """Where the five landmarks belong in a crop of `size` pixels: (5, 2), x and y."""
    points = [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
    return np.array(points) * (size / TEMPLATE_SIZE)


def similarities(landmarks: Floats, size: int) -> Floats:
    """Rotation, scale and shift of (N, 5, 2) landmarks onto the template: (N, 2, 3), photo to crop.

    The least-squares fit of the template to the landmarks, inverted, as MATLAB's `cp2tform` and the alignments
    built on it do; fitting the other way round would shrink turned faces. Closed form: with both point sets
    centred and read as complex numbers, the factor from template to photo is <t, p> / <t, t>. Landmarks that
    coincide have no scale: their matrix is zero.
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
    """Least-squares affine maps of (N, 5, 2) landmarks onto the template: (N, 2, 3), photo to crop."""
    homogeneous = np.concatenate([landmarks, np.ones((len(landmarks), 5, 1))], axis=2)
    solved: Floats = np.linalg.pinv(homogeneous) @ template(size)
    return solved.transpose(0, 2, 1)


def homographies(landmarks: Floats, size: int) -> Floats:
    """Least-squares perspective maps of (N, 5, 2) landmarks onto the template: (N, 3, 3), photo to crop.

    Where five points allow none (they coincide, or lie on a line) the similarity stands in.
    """
    maps = np.zeros((len(landmarks), 3, 3))
    maps[:, :2], maps[:, 2, 2] = similarities(landmarks, size), 1
    for index, points in enumerate(landmarks):
        found = cv2.findHomography(points, template(size), 0)[0]
        if found is not None:
            maps[index] = found
    return maps


class Aligner:
    """Cuts every face of a batch out of its photo, landmarks on the template.

    alignment: `similarity` keeps the face's proportions and is what recognition networks are trained on;
    `affine` and `perspective` fit the points closer and bend the face. size: side of the crop, in pixels.
    extension: warps where it is given, OpenCV otherwise; the bytes are the same.
    """

    def __init__(self, alignment: Alignment, size: int, extension: Extension | None = None) -> None:
        self._maps = {"similarity": similarities, "affine": affinities, "perspective": homographies}[alignment]
        self._warp = _warp_perspective if alignment == "perspective" else partial(warp_affine, extension=extension)
        self._size = size

    def __call__(self, photos: Sequence[Photo], faces: Faces) -> Pixels:
        """Crops (N, size, size, 3) uint8 RGB; bilinear, black outside the photo."""
        crops = np.empty((len(faces), self._size, self._size, 3), np.uint8)
        maps = self._maps(faces.landmarks, self._size)
        for photo in np.flatnonzero(np.bincount(faces.photo)).tolist():  # `unique` imports masked arrays
            own = faces.photo == photo
            crops[own] = self._warp(photos[photo].pixels, maps[own], self._size)
        return crops


def _warp_perspective(pixels: Pixels, matrices: Floats, size: int) -> Pixels:
    crops = [cv2.warpPerspective(pixels, matrix, (size, size), flags=cv2.INTER_LINEAR) for matrix in matrices]
    return np.array(crops, np.uint8).reshape(-1, size, size, 3)
