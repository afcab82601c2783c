"""How many edits of photos the search for near-duplicates finds, and how many other faces it confuses.

    python bench/edits.py --people FOLDER --strangers FOLDER [--clip FILE]

people: photos in one folder per person. strangers: photos of other people. Each photo is edited in 12 ways, and the
detector finds the face again. Prints which share of the edits is called a duplicate, with labels and without. Prints
how many pairs of different photos of one person are near, and for a clip how many pairs of neighbouring frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from facesieve import Pipeline, Settings
from facesieve.quality import mirrored_bits
from facesieve.records import Face
from facesieve.relate import distances, find_duplicates
from facesieve.relate.hash_bits import BITS
from facesieve.relate.hash_search import NEAR_ANYWHERE, NEAR_IN_LABEL

SUFFIXES = {".jpg", ".jpeg", ".png"}
Picture = np.ndarray


def _bytes(values: Picture) -> Picture:
    return np.clip(values, 0, 255).astype(np.uint8)


def _jpeg(picture: Picture, quality: int) -> Picture:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def _cropped(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    return picture[height // 8 : height - height // 8, width // 8 : width - width // 8]


def _rotated(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 6, 1)
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


NOISE = np.random.default_rng(0)
EDITS: dict[str, Callable[[Picture], Picture]] = {
    "saved as JPEG of quality 40": lambda picture: _jpeg(picture, 40),
    "resized to .6": lambda picture: cv2.resize(picture, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
    "resized to 1.7": lambda picture: cv2.resize(picture, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC),
    "cropped by an eighth": _cropped,
    "mirrored": lambda picture: picture[:, ::-1],
    "brightened": lambda picture: _bytes(picture * 1.3 + 15),
    "more contrast": lambda picture: _bytes((picture - 128.0) * 1.5 + 128),
    "blurred, sigma 1.5": lambda picture: cv2.GaussianBlur(picture, (0, 0), 1.5),
    "noise of 10 grey levels": lambda picture: _bytes(picture + NOISE.normal(0, 10, picture.shape)),
    "rotated by 6 degrees": _rotated,
    "grey": lambda picture: cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
    "sharpened": lambda picture: _bytes(2.0 * picture - cv2.GaussianBlur(picture, (0, 0), 2)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--strangers", type=Path, required=True)
    parser.add_argument("--clip", type=Path)
    arguments = parser.parse_args()
    pipeline = Pipeline(Settings.load(pose="none", min_face_size=40))
    originals, labels, edits = _edited(pipeline, arguments.people)
    strangers = [face.crop_hash for face in _faces(pipeline, _photos(arguments.strangers))]
    named = np.array([*labels, *(labels[at] for at, _, _ in edits), *range(len(labels), len(labels) + len(strangers))])
    for what, codes in (("in one label", named), ("across labels", np.full(len(named), -1))):
        _print_found(what, codes, originals, edits, strangers)
    _print_strangers(_array(strangers))
    pairs = [(a, b) for a, b in combinations(range(len(labels)), 2) if labels[a] == labels[b]]
    _print_near("pairs of different photos of one person", [(originals[a], originals[b]) for a, b in pairs])
    if arguments.clip:
        _print_near("pairs of neighbouring frames", _neighbours(pipeline, arguments.clip))


def _photos(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]


def _faces(pipeline: Pipeline, pictures: Iterable[Path]) -> list[Face]:
    return [face for record in pipeline.stream(pictures) for face in record.faces if face.confidence >= 0.95]


def _main_face(pipeline: Pipeline, picture: Picture) -> bytes | None:
    [record] = pipeline.process(np.ascontiguousarray(picture[..., ::-1]))
    faces = [face for face in record.faces if face.confidence >= 0.9]
    return max(faces, key=lambda face: face.measures["prominence"]).crop_hash if faces else None


def _edited(pipeline: Pipeline, folder: Path) -> tuple[list[bytes], list[int], list[tuple[int, str, bytes]]]:
    """The hashes of the photos, the number of the person of each, and the edits: photo, name of the edit, hash."""
    originals, labels, edits, people = list[bytes](), list[int](), list[tuple[int, str, bytes]](), dict[str, int]()
    for path in _photos(folder):
        picture = cv2.imread(str(path))
        if (own := _main_face(pipeline, picture)) is None:
            continue
        for name, edit in EDITS.items():
            if (found := _main_face(pipeline, edit(picture))) is not None:
                edits.append((len(originals), name, found))
        originals.append(own)
        labels.append(people.setdefault(path.parent.name, len(people)))
    return originals, labels, edits


def _array(hashes: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)


def _print_found(what: str, codes: np.ndarray, originals: list[bytes], edits: list, strangers: list[bytes]) -> None:
    hashes = _array([*originals, *(found for _, _, found in edits), *strangers])
    fitness = np.repeat([90.0, 50.0, 10.0], [len(originals), len(edits), len(strangers)])
    ranks = find_duplicates(hashes, mirrored_bits(), codes, fitness, np.ones(len(hashes), bool)).rank_among_duplicates
    end = len(originals) + len(edits)
    found = ranks[len(originals) : end] > 1
    print(f"{what}: {found.mean():.1%} of {len(edits)} edits found; called duplicates: ", end="")
    print(f"{(ranks[: len(originals)] > 1).sum()} of {len(originals)} originals, ", end="")
    print(f"{(ranks[end:] > 1).sum()} of {len(strangers)} strangers")
    for name in EDITS:
        print(f"    {name}: {found[[edit == name for _, edit, _ in edits]].mean():.1%}")


def _print_strangers(hashes: np.ndarray) -> None:
    apart = [distances(one, hashes[at + 1 :], mirrored_bits()) for at, one in enumerate(hashes)]
    near = [sum(int((some <= limit / BITS).sum()) for some in apart) for limit in (NEAR_IN_LABEL, NEAR_ANYWHERE)]
    print(
        f"{sum(map(len, apart)):,} pairs of strangers: {near[0]} within {NEAR_IN_LABEL} bits, {near[1]} within", end=" "
    )
    print(f"{NEAR_ANYWHERE}")


def _print_near(what: str, pairs: list[tuple[bytes, bytes]]) -> None:
    apart = np.array([distances(_array([a])[0], _array([b]), mirrored_bits())[0] for a, b in pairs])
    shares = [np.mean(apart <= limit / BITS) for limit in (NEAR_IN_LABEL, NEAR_ANYWHERE)]
    print(f"{len(pairs)} {what}: {shares[0]:.1%} near in one label, {shares[1]:.1%} across labels")


def _neighbours(pipeline: Pipeline, clip: Path) -> list[tuple[bytes, bytes]]:
    video, frames = cv2.VideoCapture(str(clip)), list[Picture]()
    while (read := video.read())[0]:
        frames.append(np.ascontiguousarray(read[1][..., ::-1]))
    pairs = []
    for at in range(0, len(frames) - 1, 4):
        now, later = (pipeline.process(frame)[0].faces for frame in frames[at : at + 2])
        for face in (face for face in now if face.confidence >= 0.95):
            near = [o for o in later if abs(o.box[0] - face.box[0]) + abs(o.box[1] - face.box[1]) < 0.15 * face.box[2]]
            pairs += [(face.crop_hash, near[0].crop_hash)] if near else []
    return pairs


if __name__ == "__main__":
    main()
