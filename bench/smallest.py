"""What a larger `min_face_size` saves and costs: detection at several sizes, photo by photo in one run.

    python bench/smallest.py [--data ../shared/data] [--sizes 20,29,40,57,80] [--photos N]

Prints for each size: CPU time as a share of the first size's, and recall of the labelled faces of WIDER FACE by their
shorter side (IoU at least 0.5). Of the confident faces that the first size finds: how many are found again, and how
many of them moved by at most a hundredth of a pixel.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from detection import SURE, labelled, overlaps, photo
from facesieve.detect import load_detector
from facesieve.models.store import Store
from facesieve.records import Faces
from facesieve.settings import Settings

SIDES = [(20, 40), (40, 56), (56, 80), (80, 4096)]
SURE_SIDES = (20, 40, 48, 56, 80, 112)


def found(labels: np.ndarray, faces: Faces) -> np.ndarray:
    """Which of the labels (n, 4) have a detection: (n,) bool."""
    iou = overlaps(labels, faces.boxes)
    rows, columns = linear_sum_assignment(-iou)
    hit: np.ndarray = np.isin(np.arange(len(labels)), rows[iou[rows, columns] >= 0.5])
    return hit


def kept(first: Faces, faces: Faces) -> np.ndarray:
    """For every face of `first`, whether it is among `faces` (IoU 0.5), and whether it did not move: (n, 2) bool."""
    iou = overlaps(first.boxes, faces.boxes)
    distance = abs(first.boxes[:, None] - faces.boxes[None]).max(axis=2)
    return np.column_stack([iou.max(axis=1, initial=0) >= 0.5, distance.min(axis=1, initial=np.inf) < 0.01])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).resolve().parents[2] / "shared"
    parser.add_argument("--data", type=Path, default=shared / "data")
    parser.add_argument("--sizes", default="20,29,40,57,80")
    parser.add_argument("--photos", type=int, help="use only this many photos")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    detectors = [load_detector(s, Store(s)) for s in (Settings.load(min_face_size=size) for size in sizes)]

    root = arguments.data / "wider_val_dev"
    files = [(root / "images" / name, boxes) for name, boxes in labelled(root / "wider_face_val_bbx_gt.txt")]
    files = [(file, boxes) for file, boxes in files if file.is_file()][: arguments.photos]
    cpu = np.zeros((len(files), len(sizes)))
    sides, hits, sure_sides, stayed = [], [], [], []
    for row, (file, boxes) in enumerate(files):
        picture, answers = photo(file), []
        for column, detect in enumerate(detectors):
            start = time.process_time()
            answers.append(detect([picture]))
            cpu[row, column] = time.process_time() - start
        sides.append(boxes[:, 2:].min(axis=1))
        hits.append(np.column_stack([found(boxes, faces) for faces in answers]))
        sure = answers[0].take(answers[0].confidence >= SURE)
        sure_sides.append(sure.boxes[:, 2:].min(axis=1))
        stayed.append(np.stack([kept(sure, faces) for faces in answers], axis=1))

    side, hit = np.concatenate(sides), np.concatenate(hits)
    sure_side, stays = np.concatenate(sure_sides), np.concatenate(stayed)
    print(f"{len(files)} photos, {len(side)} labelled faces, {len(sure_side)} confident detections at {sizes[0]}\n")
    print("smallest face  CPU      recall of " + "  ".join(f"{low} to {high} px" for low, high in SIDES))
    for column, size in enumerate(sizes):
        recalls = [hit[(side >= low) & (side < high), column].mean() for low, high in SIDES]
        share = cpu[:, column].sum() / cpu[:, 0].sum()
        print(f"{size:13d}  {share:.2f}               " + "".join(f"{recall:>10.3f}" for recall in recalls))
    print("\nconfident faces of at least ... px: found again / not moved")
    print("smallest face" + "".join(f"{at:>8d} px ({(sure_side >= at).sum()})" for at in SURE_SIDES))
    for column, size in enumerate(sizes):
        counts = [stays[sure_side >= at, column].sum(axis=0) for at in SURE_SIDES]
        print(f"{size:13d}" + "".join(f"{again:>9d} /{still:4d}" for again, still in counts))


if __name__ == "__main__":
    main()
