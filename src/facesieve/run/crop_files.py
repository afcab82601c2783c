"""Reads an aligned crop of a dataset back. This is the only place that knows how crops are stored."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.dataset.disk.checksums import Checksums, checksum_of
from facesieve.errors import DatasetError
from facesieve.records import Pixels


def read_crop(name: str, size: int, sums: Checksums, root: Path) -> Pixels | None:
    """The crop with this name, (size, size, 3) uint8 RGB; None if the file does not exist.

    sums: the checksums that each file may have; a file without one is not compared.
    Raises DatasetError `damaged_crop` if the file is not what was written, and `cannot_read`.
    """
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


def damaged_crop(path: Path, what: str = "damaged") -> DatasetError:
    """The error for a crop that is damaged or missing."""
    return DatasetError(
        "damaged_crop",
        f"The crop {path} is {what}. Run `facesieve check DATASET --repair` and then the same build again, or forget "
        "its face.",
    )
