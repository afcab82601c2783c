"""Photos of two people with near-duplicates, for tests of rules that compare all faces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import matplotlib
import numpy as np

from facesieve.sieve import Policy

TWINS = Policy.preset("lenient").adjusted(["max_rank_among_duplicates=1"])


def photos_of_ada() -> dict[str, np.ndarray]:
    """One face as it is, mirrored and blurred, and smaller."""
    import skimage.data

    face = skimage.data.astronaut()[0:256, 96:352, ::-1]
    return {
        "ada/1.png": face,
        "ada/2 blurred.png": cv2.GaussianBlur(face[:, ::-1], (0, 0), 1),
        "ada/3 small.jpg": cv2.resize(face, (180, 180), interpolation=cv2.INTER_AREA),
    }


def hopper() -> np.ndarray:
    return cv2.imread(str(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"))


def write_photos(made: Mapping[str, np.ndarray], root: Path) -> Path:
    for name, pixels in made.items():
        (root / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(root / name), pixels)
    return root
