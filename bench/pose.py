"""Error of head poses against the labels of AFLW2000-3D, on our own detections.

    python bench/pose.py [FOLDER] [--models sievepose,whenet,geometric] [--margins 0,0.05,0.1,0.2] [--sizes 0,64,40,24]

FOLDER has image*.jpg, each with its image*.mat (Zhu et al., 2016); default ../shared/data/aflw2000_dev. Prints for each
model, margin and size of the face: the mean absolute error in degrees, CPU milliseconds per face, and how far the pose
of the mirrored picture is from the mirrored pose. It also prints the share of faces whose decision at yaw 45, pitch 20,
roll 25 agrees with the label. By default the margin is the catalog's, and pictures keep their size; --sizes shrinks
each picture until the longer side of the face's box has so many pixels. If ../shared/seed exists, a second table is
about the photo of the
reference: mean distance from its five published Hopenet poses, and how many of its five decisions agree.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import scipy.io

from facesieve.detect import load_detector
from facesieve.models.store import Store
from facesieve.pose.angles import to_reference
from facesieve.pose.geometric import geometric
from facesieve.pose.hopenet import Hopenet
from facesieve.records import Faces, Floats, Photo, Source
from facesieve.settings import Settings

SHARED = Path(__file__).resolve().parents[2] / "shared"
LIMIT = 99  # degrees; the bins of these networks end there
GATE = np.array([20, 45, 25])  # pitch, yaw, roll of the reference
MIRRORED = (1, -1, -1)
CLOSE = 0.25  # a detection matches the label up to this mean landmark error, as a share of the face
PUBLISHED = {  # x, y of the box: pitch, yaw, roll by Hopenet, kept
    (521, 340): (-15.88, -34.19, -3.72, True),
    (549, 140): (-5.17, -2.71, 12.81, True),
    (295, 277): (-2.16, 24.64, 13.75, True),
    (546, 388): (-18.03, -35.90, -0.88, True),
    (431, 259): (-23.59, 8.54, 27.51, False),
}

Estimator = Callable[[Sequence[Photo], Faces], Floats]


class Labelled(NamedTuple):
    """Pictures, the detected face in each (row i is in photo i), and the truth (N, 3) in the reference's signs."""

    photos: list[Photo]
    faces: Faces
    truth: Floats


def read(path: Path) -> Photo:
    pixels = cv2.cvtColor(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return Photo(Source(path.name), "", pixels, "")


def five(points: Floats) -> Floats:
    """MTCNN's five points, computed from the 68 of the labels."""
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])


def labelled(folder: Path, settings: Settings, most: int | None = None) -> tuple[Labelled, int]:
    """The labelled faces that are detected and measured, and the number of all labels."""
    detect = load_detector(settings, Store(settings))
    photos, found, truths, labels = [], [], [], 0
    for path in sorted(folder.glob("*.jpg"))[:most]:
        label = scipy.io.loadmat(path.with_suffix(".mat"))
        truth = np.degrees(label["Pose_Para"][0, :3])
        if (abs(truth) > LIMIT).any():
            continue
        labels += 1
        points = label["pt3d_68"][:2].T
        photo = read(path)
        faces = detect([photo])
        faces = faces.take(faces.confidence >= settings.measure_floor)
        errors = np.linalg.norm(faces.landmarks - five(points), axis=2).mean(axis=1) / np.ptp(points, axis=0).max()
        if len(faces) and errors.min() <= CLOSE:
            photos.append(photo)
            found.append(faces.take(errors.argmin(keepdims=True)))
            truths.append(truth)
    columns = (np.concatenate([getattr(one, name) for one in found]) for name in ("boxes", "confidence", "landmarks"))
    return Labelled(photos, Faces(np.arange(len(found)), *columns), to_reference(np.array(truths))), labels


def shrunk(on: Labelled, size: int) -> Labelled:
    """The pictures made smaller until the longer side of the face's box has `size` pixels; 0 keeps them."""
    photos, boxes = [], on.faces.boxes.copy()
    for photo, box in zip(on.photos, boxes, strict=True):
        factor = size / box[2:].max() if size else 1.0
        if factor < 1:
            before = np.array(photo.pixels.shape[1::-1])
            after = np.maximum(np.rint(before * factor), 1).astype(int)
            box *= np.tile(after / before, 2)
            photo = replace(photo, pixels=cv2.resize(photo.pixels, after.tolist(), interpolation=cv2.INTER_AREA))
        photos.append(photo)
    return Labelled(photos, replace(on.faces, boxes=boxes), on.truth)


def mirrored(on: Labelled) -> Labelled:
    """The pictures and boxes mirrored; landmarks and truth are not."""
    photos = [replace(photo, pixels=np.ascontiguousarray(photo.pixels[:, ::-1])) for photo in on.photos]
    boxes = on.faces.boxes.copy()
    boxes[:, 0] = [photo.width - x - w for photo, (x, _, w, _) in zip(on.photos, boxes, strict=True)]
    return Labelled(photos, replace(on.faces, boxes=boxes), on.truth)


def accepted(degrees: Floats) -> np.ndarray:
    return (abs(degrees) <= GATE).all(axis=1)


def line(name: str, margin: str, estimate: Estimator, on: Labelled, size: int = 0) -> tuple[float, float]:
    """Print one row; mean absolute error and gate agreement in percent."""
    on = shrunk(on, size)
    start = time.process_time()
    degrees = estimate(on.photos, on.faces)
    cost = (time.process_time() - start) / len(on.faces) * 1000
    errors = abs(degrees - on.truth)
    agreement = 100 * float((accepted(degrees) == accepted(on.truth)).mean())
    frontal = errors[abs(on.truth[:, 1]) <= 45].mean()
    pitch, yaw, roll = errors.mean(axis=0)
    other = mirrored(on)
    apart = abs(estimate(other.photos, other.faces) * MIRRORED - degrees).mean() if margin != "-" else np.nan
    print(
        f"{name:10} {margin:>6} {size or 'full':>5} {errors.mean():7.2f} {pitch:7.2f} {yaw:7.2f} {roll:7.2f}"
        f" {frontal:9.2f} {agreement:8.1f} {cost:8.2f} {apart:7.2f}",
        flush=True,
    )
    return float(errors.mean()), agreement


def published_line(name: str, margin: str, estimate: Estimator, size: int = 0) -> None:
    """Print one row about the reference's photo, on its own detections."""
    golden = json.loads((SHARED / "seed/golden/mtcnn-0.1.1-famous-selfie.json").read_text())["famous-selfie.jpg"]
    boxes = np.array([face["box"] for face in golden], float)
    boxes[:, 2:] -= boxes[:, :2]
    rows = [int(abs(boxes[:, :2] - corner).sum(axis=1).argmin()) for corner in PUBLISHED]
    landmarks = np.array([face["points"] for face in golden], float)[rows]
    faces = Faces(np.arange(len(rows)), boxes[rows], np.ones(len(rows)), landmarks)
    values = np.array(list(PUBLISHED.values()))
    on = shrunk(Labelled([read(SHARED / "seed/famous-selfie.jpg")] * len(rows), faces, values), size)
    degrees = estimate(on.photos, on.faces)
    right = (accepted(degrees) == values[:, 3].astype(bool)).sum()
    yaws = ", ".join(f"{p:.0f}/{y:.0f}/{r:.0f}" for p, y, r in degrees)
    apart = abs(degrees - values[:, :3]).mean()
    print(f"{name:10} {margin:>6} {size or 'full':>5} {apart:9.2f} {right:6} of 5   {yaws}", flush=True)


def shown(margin: float | None) -> str:
    return "usual" if margin is None else f"{margin:g}"


def degrees_of(network: Hopenet, photos: Sequence[Photo], faces: Faces) -> Floats:
    return network(photos, faces).degrees


def estimators(
    names: Sequence[str], margins: Sequence[float | None], settings: Settings
) -> list[tuple[str, str, Estimator]]:
    rows: list[tuple[str, str, Estimator]] = []
    for name in names:
        if name == "geometric":
            rows.append((name, "-", geometric))
            continue
        store = Store(settings)
        networks = [(margin, Hopenet(name, settings, store, margin)) for margin in margins]
        rows += [(name, shown(margin), partial(degrees_of, network)) for margin, network in networks]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=SHARED / "data/aflw2000_dev")
    parser.add_argument("--models", default="sievepose,whenet,geometric")
    parser.add_argument("--margins", default="", help="shares of the box's longer side")
    parser.add_argument("--sizes", default="0", help="longer side of the face's box in pixels; 0 is as it is")
    parser.add_argument("--most", type=int, help="look at this many pictures only")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"no folder {options.folder}: name a folder with AFLW2000-3D pictures and labels")
    settings = Settings.load()
    margins = [float(margin) for margin in options.margins.split(",") if margin] or [None]
    rows = estimators(options.models.split(","), margins, settings)
    on, labels = labelled(options.folder, settings, options.most)
    print(f"{len(on.faces)} of {labels} labelled faces are detected with confidence >= {settings.measure_floor}\n")
    print("model      margin  size     MAE   pitch     yaw    roll  |yaw|<=45  gate %  ms/face  mirror")
    for row in rows:
        for size in options.sizes.split(","):
            line(*row, on, int(size))
    if (SHARED / "seed").is_dir():
        print("\nmodel      margin  size  from Hopenet  decisions   pitch/yaw/roll of the five published faces")
        for row in rows:
            for size in options.sizes.split(","):
                published_line(*row, int(size))


if __name__ == "__main__":
    main()
