"""How many verdicts of a folder of photos turn when another pose model is used.

    python bench/pose_verdicts.py [FOLDER] [--before whenet] [--after sievepose] [--sheet OUT.png]

FOLDER: default ../shared/data/wider_val_dev/images. Prints for the policies `reference`, `strict` and `lenient` how
many faces both models keep, and how many only one of them keeps. Prints the share of all faces whose verdict changes.
--sheet: a picture of all faces with such a verdict, row after row by policy, each with both poses (pitch, yaw, roll;
`-` is the former model); the border is green where the new model keeps the face.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from facesieve import Pipeline, Policy, Settings
from facesieve.records import ANGLES, Face

SHARED = Path(__file__).resolve().parents[2] / "shared"
POLICIES = ("reference", "strict", "lenient")
TILE, ACROSS, TEXT = 168, 8, 34  # pixels of a face, faces in a row, pixels of its two lines


def faces_of(files: list[Path], model: str) -> dict[str, list[Face]]:
    """The faces of all photos as each policy judges them."""
    pipeline = Pipeline(Settings(pose=model))
    judged: dict[str, list[Face]] = {policy: [] for policy in POLICIES}
    for file in files:
        measured = pipeline.measure([file])
        for policy, faces in judged.items():
            [record] = measured.judged(Policy.preset(policy))
            faces += record.faces
    return judged


def tile(before: Face, after: Face) -> np.ndarray:
    crop = cv2.resize(after.crop[..., ::-1], (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    colour = (0, 180, 0) if after.verdict.kept else (0, 0, 220)
    crop = cv2.copyMakeBorder(crop[3:-3, 3:-3], 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=colour)
    text = np.full((TEXT, TILE, 3), 255, np.uint8)
    for line, face in enumerate((before, after)):
        degrees = " ".join(f"{face.measures[angle]:.0f}" for angle in ANGLES)
        said = f"{'-+'[line]} {degrees}"
        cv2.putText(text, said, (4, 14 + 15 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([crop, text])


def sheet(pairs: list[tuple[Face, Face]]) -> np.ndarray:
    tiles = [tile(*pair) for pair in pairs]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % ACROSS)
    return np.concatenate([np.concatenate(tiles[at : at + ACROSS], axis=1) for at in range(0, len(tiles), ACROSS)])


def turned(before: dict[str, list[Face]], after: dict[str, list[Face]], policy: str) -> list[tuple[Face, Face]]:
    pairs = zip(before[policy], after[policy], strict=True)
    return [pair for pair in pairs if pair[0].verdict.kept != pair[1].verdict.kept]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=SHARED / "data/wider_val_dev/images")
    parser.add_argument("--before", default="whenet")
    parser.add_argument("--after", default="sievepose")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    files = sorted(options.folder.rglob("*.jpg"))
    before, after = (faces_of(files, model) for model in (options.before, options.after))
    print(f"{len(files)} photos\npolicy      faces  both keep  only {options.before}  only {options.after}  turned")
    for policy in POLICIES:
        kept = np.array([[face.verdict.kept for face in one[policy]] for one in (before, after)], bool)
        first, second = kept
        counts = [int(one.sum()) for one in (first & second, first & ~second, second & ~first, first != second)]
        print(f"{policy:10} {len(first):6} {counts[0]:10} {counts[1]:11} {counts[2]:14} {counts[3] / len(first):8.1%}")
    if options.sheet:
        cv2.imwrite(str(options.sheet), sheet([pair for policy in POLICIES for pair in turned(before, after, policy)]))


if __name__ == "__main__":
    main()
