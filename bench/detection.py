"""Quality of detection: recall by size on WIDER FACE, false positives on empty scenes, agreement with mtcnn 0.1.1.

    python bench/detection.py [--data ../shared/data] [--golden ../shared/seed/golden] [--setting min_face_size=40]

A face counts as found if a detection overlaps its labelled box with IoU >= 0.5. Each detection counts for one face.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from facesieve.decode import decode_one
from facesieve.detect import Mtcnn, load_detector
from facesieve.models.store import Store
from facesieve.records import Faces, Photo
from facesieve.settings import Settings
from facesieve.sources import as_sources

SIZES = [(0, 10), (10, 20), (20, 40), (40, 80), (80, 160), (160, 4096)]
SURE = 0.995


def labelled(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Photo names and their valid boxes (n, 4) x y w h, from WIDER FACE's list."""
    lines = iter(file.read_text().splitlines())
    for name in lines:
        rows = [next(lines).split() for _ in range(max(int(next(lines)), 1))]
        boxes = np.array([row[:8] for row in rows], float)
        yield name, boxes[(boxes[:, 7] == 0) & (boxes[:, 2:4] > 0).all(axis=1), :4]


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every box of a (n, 4) with every box of b (m, 4), x y w h: (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    return common / (a[:, 2:].prod(axis=1)[:, None] + b[:, 2:].prod(axis=1)[None] - common)


def recall(detect: Mtcnn, data: Path) -> None:
    root = data / "wider_val_dev"
    sides, found, extra, detections, cpu, photos = [], [], 0, 0, 0.0, 0
    for name, boxes in labelled(root / "wider_face_val_bbx_gt.txt"):
        file = root / "images" / name
        if not file.is_file():
            continue
        picture = photo(file)
        start = time.process_time()
        faces = detect([picture])
        cpu, photos = cpu + time.process_time() - start, photos + 1
        iou = overlaps(boxes, faces.boxes)
        rows, columns = linear_sum_assignment(-iou)
        hit = rows[iou[rows, columns] >= 0.5]
        extra += len(faces) - len(hit)
        detections += len(faces)
        sides += np.minimum(boxes[:, 2], boxes[:, 3]).tolist()
        found += np.isin(np.arange(len(boxes)), hit).tolist()
    side, was_found = np.array(sides), np.array(found)
    print(f"\nWIDER FACE val, {photos} photos, {len(side)} faces, {1000 * cpu / photos:.0f} ms CPU per photo")
    print("shorter side, px   faces   found   recall")
    for low, high in SIZES:
        own = (side >= low) & (side < high)
        print(f"{low:7d} to {high:5d} {own.sum():8d} {was_found[own].sum():7d}   {was_found[own].mean():.3f}")
    large = side >= 40
    print(f"     40 and more {large.sum():6d} {was_found[large].sum():7d}   {was_found[large].mean():.3f}")
    print(f"detections without a labelled face: {extra} of {detections}")


def false_positives(detect: Mtcnn, data: Path) -> None:
    files = sorted(file for file in (data / "no_faces_dev").iterdir() if file.is_file())
    photos = [picture for file in files if isinstance(picture := decode_one(as_sources([file])[0], Settings()), Photo)]
    faces = [detect([picture]) for picture in photos]
    hits = np.array([len(own) for own in faces])
    sure = np.array([(own.confidence >= SURE).sum() for own in faces])
    print(f"\nscenes without clear faces: {len(photos)} photos")
    print(f"detections: {hits.sum()} in {(hits > 0).sum()} photos; at confidence >= {SURE}: {sure.sum()}")


def agreement(detect: Mtcnn, data: Path, golden: Path) -> None:
    answers = json.loads((golden / "mtcnn-0.1.1-wider_val_dev.json").read_text())
    total = matched = equal = ours = 0
    gap = 0.0
    for name, faces in answers.items():
        found = detect([photo(data / "wider_val_dev/images" / name)])
        ours, total = ours + len(found), total + len(faces)
        if not faces or not len(found):
            continue
        theirs = np.array([face["box"] for face in faces])
        corners = whole_corners(found)
        iou = overlaps(as_sides(theirs), as_sides(corners))
        rows, columns = linear_sum_assignment(-iou)
        pairs = [(r, c) for r, c in zip(rows, columns, strict=True) if iou[r, c] >= 0.5]
        matched += len(pairs)
        for row, column in pairs:
            points = np.trunc(found.landmarks[column])
            if (corners[column] == theirs[row]).all() and (points == faces[row]["points"]).all():
                equal += 1
                gap = max(gap, abs(found.confidence[column] - faces[row]["confidence"]))
    print(f"\nagreement with mtcnn 0.1.1 on {len(answers)} photos: theirs {total}, ours {ours}, matched {matched}")
    share = 100 * equal / total
    print(f"box and landmarks equal to the pixel: {equal} ({share:.2f} %), their confidence within {gap:.1e}")


def whole_corners(faces: Faces) -> np.ndarray:
    """x1 y1 x2 y2 as mtcnn 0.1.1 publishes them: truncated, the top left corner not below zero."""
    low = np.maximum(np.trunc(faces.boxes[:, :2]), 0)
    return np.hstack([low, np.trunc(faces.boxes[:, :2] + faces.boxes[:, 2:])])


def as_sides(corners: np.ndarray) -> np.ndarray:
    return np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])


def photo(file: Path) -> Photo:
    picture = decode_one(as_sources([file])[0], Settings())
    assert isinstance(picture, Photo), picture
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).resolve().parents[2] / "shared"
    parser.add_argument("--data", type=Path, default=shared / "data")
    parser.add_argument("--golden", type=Path, default=shared / "seed/golden")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    settings = Settings.load(**dict(setting.split("=", 1) for setting in arguments.setting))
    detect = load_detector(settings, Store(settings))
    recall(detect, arguments.data)
    false_positives(detect, arguments.data)
    agreement(detect, arguments.data, arguments.golden)


if __name__ == "__main__":
    main()
