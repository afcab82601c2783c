"""Photos made worse at random, as bad cameras, distance, darkness and compression make them. Used by `bench/fit.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Random = np.random.Generator


def _bytes(values: npt.NDArray[np.floating]) -> Picture:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _far(picture: Picture, random: Random) -> Picture:
    scale = 1 / random.uniform(1.5, 5)
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _enlarged(picture: Picture, random: Random) -> Picture:
    height, width = picture.shape[:2]
    return cv2.resize(_far(picture, random), (width, height), interpolation=cv2.INTER_CUBIC)


def _out_of_focus(picture: Picture, random: Random) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), random.uniform(1, 6))


def _moved(picture: Picture, random: Random) -> Picture:
    size = int(random.integers(5, 25))
    line = np.zeros((size, size), np.float32)
    line[size // 2] = 1
    turn = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), random.uniform(0, 180), 1)
    kernel = cv2.warpAffine(line, turn, (size, size))
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


def _dark(picture: Picture, random: Random) -> Picture:
    noise = random.normal(0, 3, picture.shape)
    return _bytes(picture * random.uniform(0.04, 0.4) + noise)


def _bright(picture: Picture, random: Random) -> Picture:
    return _bytes(picture * random.uniform(1.5, 4) + 20)


def _one_sided(picture: Picture, random: Random) -> Picture:
    shade = np.linspace(1, random.uniform(0.02, 0.4), picture.shape[1])
    return _bytes(picture * shade[:: random.choice([-1, 1]), np.newaxis])


def _noisy(picture: Picture, random: Random) -> Picture:
    return _bytes(picture + random.normal(0, random.uniform(8, 50), picture.shape))


def _compressed(picture: Picture, random: Random) -> Picture:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(3, 30))]
    return cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)


def _tilted(picture: Picture, random: Random) -> Picture:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-40, 40), 1)
    return cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT)


WAYS: tuple[Callable[[Picture, Random], Picture], ...] = (
    *(_far, _enlarged, _out_of_focus, _moved, _dark, _bright, _one_sided, _noisy, _compressed, _tilted),
)


def made_worse(picture: Picture, random: Random) -> Picture:
    """The picture (H, W, 3) after none, one or two of `WAYS`, with even chances, each by a random amount."""
    for way in random.permutation(len(WAYS))[: random.integers(0, 3)]:
        picture = WAYS[way](picture, random)
    return picture


def write_worse(folder: Path, into: Path, random: Random | None, own_folder: bool = False) -> None:
    """Write a worse copy of every picture in a folder, as PNG, in a folder with the name of its folder.

    random: None leaves the pictures as they are. own_folder: each picture has a folder with its own name instead.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            file = into / (path.stem if own_folder else path.parent.name) / f"{path.stem}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            picture = cv2.imread(str(path))
            cv2.imwrite(str(file), picture if random is None else made_worse(picture, random))
