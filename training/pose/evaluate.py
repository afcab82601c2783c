"""Error of trained weights on AFLW2000-3D, on FaceSieve's own detections, and the calibration that makes it least.

    python training/pose/evaluate.py WEIGHTS.pt [FOLDER] [--cache FILE.npz]

The labelled faces are only looked at: nothing is trained on them. One line is fitted for each angle; rows with `other
half` show the error with lines that were fitted on the other half of the faces. The last line is for `export.py`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from augment import MARGIN, SIDE
from network import Network
from train import predict

ROOT = Path(__file__).resolve().parents[2]
GATE = np.array([20, 45, 25])  # pitch, yaw, roll of the preset `reference`
SIZES = (0, 64, 40, 24)  # longer side of the face's box in pixels; 0 is as it is


def crops_of(folder: Path) -> dict[str, np.ndarray]:
    """The crops (N, 64, 64, 3) by size of the face, and the truth (N, 3)."""
    sys.path.insert(0, str(ROOT / "bench"))
    from facesieve.pose.crops import crop
    from facesieve.settings import Settings
    from pose import labelled, shrunk

    on, _ = labelled(folder, Settings.load())
    smaller = {size: shrunk(on, size) for size in SIZES}
    crops = {str(size): crop(one.photos, one.faces, MARGIN, SIDE) for size, one in smaller.items()}
    return {"truth": on.truth, **crops}


def line(name: str, degrees: np.ndarray, truth: np.ndarray) -> str:
    errors = abs(degrees - truth)
    right = ((abs(degrees) <= GATE).all(axis=1) == (abs(truth) <= GATE).all(axis=1)).mean()
    frontal = errors[abs(truth[:, 1]) <= 45].mean()
    angles = " ".join(f"{one:6.2f}" for one in errors.mean(axis=0))
    return f"{name:>24} {errors.mean():6.2f} {angles} {frontal:9.2f} {100 * right:6.1f}"


def lines_of(degrees: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Offset and slope (3, 2) of the line of each angle that makes the mean absolute error least."""
    return np.array([_line_of(degrees[:, angle], truth[:, angle]) for angle in range(3)])


def _line_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    terms, weight = np.stack([np.ones_like(x), x], axis=1), np.ones(len(x))
    for _ in range(50):  # reweighted least squares
        root = np.sqrt(weight)
        fit = np.linalg.lstsq(terms * root[:, None], y * root, rcond=None)[0]
        weight = 1 / np.maximum(abs(terms @ fit - y), 0.5)
    return fit


def calibrated(degrees: np.ndarray, lines: np.ndarray) -> np.ndarray:
    return lines[:, 0] + lines[:, 1] * degrees


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared/data/aflw2000_dev")
    parser.add_argument("--cache", type=Path, help="keeps the crops for the next run")
    options = parser.parse_args()
    kept = options.cache and options.cache.is_file()
    crops = dict(np.load(options.cache)) if kept else crops_of(options.folder)
    if options.cache and not kept:
        np.savez(options.cache, **crops)
    torch.set_num_threads(1)
    net = Network()
    net.load_state_dict(torch.load(options.weights))
    truth = crops.pop("truth")
    found = {name: predict(net, of) for name, of in crops.items()}
    mirrored = predict(net, crops["0"][:, :, ::-1].copy()) * (1, -1, -1)
    print(f"{len(truth)} faces\n{'size':>24} {'MAE':>6} {'pitch':>6} {'yaw':>6} {'roll':>6} |yaw|<=45 gate %")
    for name, degrees in found.items():
        print(line(name, degrees, truth))
    print(line("mean with the mirrored", (found["0"] + mirrored) / 2, truth))
    print(f"{'mirror error':>24} {abs(found['0'] - mirrored).mean():6.2f}")
    halves = np.random.default_rng(0).permutation(len(truth)) % 2 == 0
    first, second = (lines_of(found["0"][half], truth[half]) for half in (halves, ~halves))
    for name, degrees in found.items():
        fitted = np.where(halves[:, None], calibrated(degrees, second), calibrated(degrees, first))
        print(line(f"{name}, other half", fitted, truth))
    print(np.round(lines_of(found["0"], truth), 4).tolist())


if __name__ == "__main__":
    main()
