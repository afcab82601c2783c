"""Photos for the demo: real portraits from installed packages, and spoiled copies that the sieve should reject."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from facesieve.dataset.disk.atomic import wrap_write_errors
from facesieve.errors import UsageError
from facesieve.records import Pixels

PORTRAITS = {
    "eileen-collins.png": ("skimage", "data/astronaut.png"),
    "grace-hopper.jpg": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "cameraman.png": ("skimage", "data/camera.png"),
    "coffee-no-face.png": ("skimage", "data/coffee.png"),
}
EXTRA = "facesieve[demo]"


def write_photos(folder: Path) -> list[Path]:
    """Write the photos of the demo. Each file name says what is wrong with the photo. Each call writes the same bytes.

    Raises UsageError when the packages with the portraits are not installed, and DatasetError when the disk refuses.
    """
    originals = {name: _installed(*where).read_bytes() for name, where in PORTRAITS.items()}
    portrait = _decode(originals["eileen-collins.png"])
    other = _decode(originals["grace-hopper.jpg"])
    files = originals | {
        "eileen-collins-blurred.jpg": _jpeg(cv2.GaussianBlur(portrait, (0, 0), 4)),
        "eileen-collins-dark.jpg": _jpeg(portrait * 0.12),
        "eileen-collins-tilted.jpg": _jpeg(_tilt(portrait, 40)),
        "eileen-collins-small.jpg": _jpeg(_shrink(portrait, 0.3)),
        "eileen-collins-overexposed.jpg": _jpeg(portrait * 2.5 + 40.0),
        "grace-hopper-blurred.jpg": _jpeg(cv2.GaussianBlur(other, (0, 0), 5)),
        "grace-hopper-small.jpg": _jpeg(_shrink(other, 0.25)),
        "grace-hopper-cut-short.jpg": originals["grace-hopper.jpg"][:20_000],
    }
    with wrap_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    return [folder / name for name in sorted(files)]


def _installed(package: str, path: str) -> Path:
    spec = find_spec(package)
    file = Path(spec.origin).parent / path if spec and spec.origin else None
    if file is None or not file.is_file():
        raise UsageError(
            "no_portraits",
            f"The demo needs the portraits in {package}, which is not installed. Run: pip install '{EXTRA}'",
        )
    return file


def _decode(data: bytes) -> Pixels:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _jpeg(pixels: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    level = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", level, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def _tilt(pixels: Pixels, degrees: float) -> Pixels:
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _shrink(pixels: Pixels, factor: float) -> Pixels:
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
