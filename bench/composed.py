"""Clips composed from labelled stills: people walk through scenes, cross, cover each other, leave and return.

    python bench/composed.py FOLDER... -o CLIP.mp4 [--seconds 60] [--seed 0]

FOLDER: of one person each, with photos whose face is in the middle. Every pixel of a frame has an owner, so `video.py`
knows which person a found face belongs to.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

FPS = 25
SCENE = (8.0, 16.0)  # seconds between two cuts


@dataclass(frozen=True)
class Walk:
    """One appearance of a person: from `start` to `end` seconds, along a line with a sway.

    ends: x, y and height of the head at both ends, in pixels. phase: of the sway.
    """

    number: int
    person: int
    still: np.ndarray
    start: float
    end: float
    ends: tuple[tuple[float, float, float], tuple[float, float, float]]
    phase: float

    def at(self, time: float) -> tuple[float, float, float, float]:
        """x, y and height of the head in pixels, and its tilt in degrees."""
        share = (time - self.start) / (self.end - self.start)
        x, y, height = ((1 - share) * a + share * b for a, b in zip(*self.ends, strict=True))
        swing = np.sin(2 * np.pi * (0.9 * time + self.phase))
        return x + 0.08 * height * swing, y + 0.05 * height * np.sin(2 * np.pi * 1.8 * time), height, 4 * swing


@dataclass(frozen=True)
class Composition:
    """A clip that can be drawn frame by frame. size: width and height. scenes: when each scene begins, in seconds."""

    size: tuple[int, int]
    seconds: float
    walks: Sequence[Walk]
    scenes: Sequence[float]
    seed: int

    @property
    def frames(self) -> int:
        return round(self.seconds * FPS)

    def draw(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """(H, W, 3) uint8 BGR, and (H, W) int16 the number of the walk that each pixel shows; -1 for the background."""
        time = frame / FPS
        scene = int(np.searchsorted(self.scenes, time, "right")) - 1
        picture = self._background(scene, time)
        owner = np.full(picture.shape[:2], -1, np.int16)
        going = [walk for walk in self.walks if walk.start <= time < walk.end]
        for walk in sorted(going, key=lambda walk: walk.at(time)[2]):
            _paste(picture, owner, walk, time)
        return picture, owner

    def _background(self, scene: int, time: float) -> np.ndarray:
        random = np.random.default_rng([self.seed, 1000 + scene])
        coarse = random.integers(20, 200, (9, 16, 3)).astype(np.uint8)
        wide = cv2.resize(coarse, (self.size[0] + 200, self.size[1]), interpolation=cv2.INTER_CUBIC)
        left = int(100 + 100 * np.sin(time / 3))  # the camera pans
        return np.ascontiguousarray(wide[:, left : left + self.size[0]])

    def write(self, path: Path, codec: str = "mp4v") -> None:
        video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), FPS, self.size)
        assert video.isOpened(), f"this OpenCV cannot write {codec}"
        for frame in range(self.frames):
            video.write(self.draw(frame)[0])
        video.release()


def composed(
    people: Sequence[Sequence[np.ndarray]], seconds: float, seed: int, size: tuple[int, int] = (1280, 720)
) -> Composition:
    """A clip of some people. people: the stills of each, (H, W, 3) uint8 BGR with the face in the middle."""
    random = np.random.default_rng(seed)
    scenes, walks, time = list[float](), list[Walk](), 0.0
    while time < seconds:
        end = min(seconds, time + float(random.uniform(*SCENE)))
        scenes.append(time)
        for person in random.permutation(len(people))[: random.integers(2, 5)].tolist():
            walks += _walks_of(person, people[person], time, end, len(walks), size, random)
        time = end
    return Composition(size, seconds, walks, scenes, seed)


def _walks_of(
    person: int,
    stills: Sequence[np.ndarray],
    start: float,
    end: float,
    first: int,
    size: tuple[int, int],
    random: np.random.Generator,
) -> Iterator[Walk]:
    """One walk from a side to the other, or into the scene; sometimes the person returns later."""
    begin = start + float(random.uniform(0, 2)) * random.integers(0, 2)
    for number in range(random.integers(1, 3)):
        stop = min(end, begin + float(random.uniform(3, 8)))
        if stop - begin < 1.5:
            return
        side = float(random.choice([-1, 1]))
        middle = size[0] / 2
        heights = random.uniform(0.18, 0.36, 2) * size[1]
        y = float(random.uniform(0.35, 0.65)) * size[1]
        far = middle + side * (middle + 60) * float(random.choice([1.0, 0.6]))
        near = middle - side * middle * float(random.uniform(-0.3, 1.1))
        ends = ((far, y, float(heights[0])), (near, y + float(random.uniform(-60, 60)), float(heights[1])))
        still = stills[int(random.integers(len(stills)))]
        yield Walk(first + number, person, still, begin, stop, ends, float(random.uniform(0, 1)))
        begin = stop + float(random.uniform(1.5, 3))


def _paste(picture: np.ndarray, owner: np.ndarray, walk: Walk, time: float) -> None:
    """Draw a head into the part of the picture that it covers."""
    x, y, height, tilt = walk.at(time)
    still, side = walk.still, round(height * 1.2)
    scale = height / still.shape[0]
    left, top = round(x) - side // 2, round(y) - side // 2
    matrix = cv2.getRotationMatrix2D((still.shape[1] / 2, still.shape[0] / 2), tilt, scale)
    matrix[:, 2] += (x - left - still.shape[1] / 2, y - top - still.shape[0] / 2)
    mask = np.zeros(still.shape[:2], np.float32)
    half = (round(still.shape[1] * 0.4), round(still.shape[0] * 0.47))
    cv2.ellipse(mask, (still.shape[1] // 2, still.shape[0] // 2), half, 0, 0, 360, 1.0, -1)
    alpha = cv2.warpAffine(cv2.GaussianBlur(mask, (0, 0), 4), matrix, (side, side))
    light = 1 + 0.12 * np.sin(2 * np.pi * (time / 5 + walk.phase))
    drawn = cv2.warpAffine(still, matrix, (side, side), flags=cv2.INTER_AREA).astype(np.float32) * light
    rows = slice(max(top, 0), min(top + side, picture.shape[0]))
    columns = slice(max(left, 0), min(left + side, picture.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    part = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    share = alpha[part][..., None]
    mixed = picture[rows, columns] * (1 - share) + drawn[part] * share
    picture[rows, columns] = np.clip(mixed, 0, 255).astype(np.uint8)
    owner[rows, columns][alpha[part] > 0.5] = walk.number


def known(folders: Sequence[Path]) -> list[list[np.ndarray]]:
    """The stills of each person."""
    return [[_middle(read(path)) for path in sorted(folder.iterdir())] for folder in folders]


def read(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 BGR."""
    picture = cv2.imread(str(path))
    assert picture is not None, f"{path} is no picture"
    return picture


def _middle(picture: np.ndarray) -> np.ndarray:
    """The middle three quarters: photos of LFW show much around the head."""
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[height // 8 : height - height // 8, width // 8 : width - width // 8])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path, nargs="+")
    parser.add_argument("--output", "-o", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    clip = composed(known(arguments.people), arguments.seconds, arguments.seed)
    clip.write(arguments.output)
    print(f"{arguments.output}: {clip.frames} frames, {len(clip.scenes)} scenes, {len(clip.walks)} appearances")


if __name__ == "__main__":
    main()
