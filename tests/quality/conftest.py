"""Two real portraits with their landmarks set by hand, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facesieve.quality import measure
from facesieve.records import Faces, Floats, Measures, Photo, Pixels, Poses, Source

# The five points of ArcFace in a 112 crop (Deng et al., CVPR 2019).
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)


def similarity(landmarks: Floats) -> Floats:
    """(2, 3) from photo to crop: the inverse of the least-squares similarity from template to photo."""
    points, target = TEMPLATE - TEMPLATE.mean(axis=0), landmarks - landmarks.mean(axis=0)
    scale = (points**2).sum()
    cosine = (points * target).sum() / scale
    sine = (points[:, 0] * target[:, 1] - points[:, 1] * target[:, 0]).sum() / scale
    turn = np.array([[cosine, -sine], [sine, cosine]])
    back = np.c_[turn, landmarks.mean(axis=0) - turn @ TEMPLATE.mean(axis=0)]
    return cv2.invertAffineTransform(back)


@dataclass(frozen=True)
class Portrait:
    """One picture (H, W, 3) uint8 RGB and one face's five points in it."""

    pixels: Pixels
    landmarks: Floats

    def blurred(self, sigma: float) -> Portrait:
        return replace(self, pixels=cv2.GaussianBlur(self.pixels, (0, 0), sigma))

    def exposed(self, gain: float) -> Portrait:
        """Stored values multiplied by `gain` and clipped."""
        return replace(self, pixels=np.clip(self.pixels.astype(float) * gain, 0, 255).astype(np.uint8))

    def compressed(self, quality: int) -> Portrait:
        data = cv2.imencode(".jpg", self.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return replace(self, pixels=cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])

    def shrunk(self, factor: float) -> Portrait:
        small = cv2.resize(self.pixels, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
        ratio = np.array(small.shape[1::-1]) / self.pixels.shape[1::-1]
        return Portrait(small, (self.landmarks + 0.5) * ratio - 0.5)

    def enlarged_again(self, factor: float, interpolation: int) -> Portrait:
        """Shrunk and enlarged to its old size, like a picture that somebody has enlarged."""
        size = self.pixels.shape[1::-1]
        return replace(self, pixels=cv2.resize(self.shrunk(factor).pixels, size, interpolation=interpolation))

    def noisy(self, sigma: float) -> Portrait:
        noise = np.random.default_rng(0).normal(0, sigma, self.pixels.shape)
        return replace(self, pixels=np.clip(self.pixels + noise, 0, 255).astype(np.uint8))

    def shaded(self, share: float) -> Portrait:
        """The side to the right of the nose darkened to `share` of its stored values."""
        pixels = self.pixels.astype(float)
        pixels[:, int(self.landmarks[2, 0]) :] *= share
        return replace(self, pixels=pixels.astype(np.uint8))


@pytest.fixture(scope="session")
def eileen(astronaut: Path) -> Portrait:
    pixels = cv2.cvtColor(cv2.imread(str(astronaut)), cv2.COLOR_BGR2RGB)
    points = [(203.0, 100.5), (246.75, 103.0), (223.75, 126.25), (206.25, 141.25), (243.0, 142.0)]
    return Portrait(pixels, np.array(points))


@pytest.fixture(scope="session")
def grace(hopper: Path) -> Portrait:
    pixels = cv2.cvtColor(cv2.imread(str(hopper)), cv2.COLOR_BGR2RGB)
    points = [(222.3, 189.3), (307.3, 186.0), (266.7, 241.7), (233.3, 278.3), (306.0, 276.7)]
    return Portrait(pixels, np.array(points))


@pytest.fixture(params=["eileen", "grace"])
def portrait(request: pytest.FixtureRequest) -> Portrait:
    return request.getfixturevalue(request.param)


Judge = Callable[[list[Portrait]], Measures]


def taken(portraits: list[Portrait]) -> tuple[list[Photo], Faces, Pixels, Floats, Poses]:
    """The arguments of `measure` for one face in each portrait."""
    photos = [Photo(Source("x"), "0" * 64, one.pixels, "array") for one in portraits]
    landmarks = np.array([one.landmarks for one in portraits]).reshape(-1, 5, 2)
    corner = landmarks.min(axis=1)
    boxes = np.concatenate([corner, landmarks.max(axis=1) - corner], axis=1)
    matrices = np.array([similarity(points) for points in landmarks]).reshape(-1, 2, 3)
    crops = [cv2.warpAffine(one.pixels, matrix, (112, 112)) for one, matrix in zip(portraits, matrices, strict=True)]
    faces = Faces(np.arange(len(photos)), boxes, np.full(len(photos), 0.99), landmarks)
    stack = np.array(crops, np.uint8).reshape(-1, 112, 112, 3)
    return photos, faces, stack, matrices, Poses(np.zeros((len(photos), 3)), np.zeros(len(photos)))


@pytest.fixture
def measured() -> Judge:
    return lambda portraits: measure(*taken(portraits))


@pytest.fixture
def inputs() -> Callable[[list[Portrait]], tuple[list[Photo], Faces, Pixels, Floats, Floats]]:
    return taken
