"""Reads the aligned crops of a dataset back. This is the only place that knows how they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.dataset.disk.checksums import Checksums, checksum_of
from facesieve.errors import DatasetError
from facesieve.records import Pixels


def read_crops(names: Sequence[str], size: int, sums: Checksums, root: Path) -> list[Pixels | None]:
    """The crops with these names, each (size, size, 3) uint8 RGB; None for a file that does not exist.

    sums: the checksums that each file may have; a file without one is not compared.
    Raises DatasetError `damaged_crop` if a file is not what was written, and `cannot_read`.
    """
    return [_read(name, size, sums, root) for name in names]


def damaged_crop(path: Path, what: str = "damaged") -> DatasetError:
    """The error for a crop that is damaged or missing."""
    return DatasetError(
        "damaged_crop",
        f"The crop {path} is {what}. Run `facesieve check DATASET --repair` and then the same build again, or forget "
        "its face.",
    )


def _read(name: str, size: int, sums: Checksums, root: Path) -> Pixels | None:
    path = root / name
    with wrap_read_errors(path):
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
    known = sums.get(name)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if pixels is None or (known and checksum_of(data) not in known) or pixels.shape != (size, size, 3):
        raise damaged_crop(path)
    return np.ascontiguousarray(pixels[..., ::-1], np.uint8)
