"""Reads the aligned crops of a dataset with a ledger back, from files or from tar files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.dataset.disk.checksums import Checksum, Checksums, checksum_of, checksums_by_name
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.own_file import check_command, open_own_file
from facesieve.errors import DatasetError
from facesieve.records import Pixels
from facesieve.run.crops_in_tars import tars_on_disk
from facesieve.run.packing import CropIndex


class StoredCrops:
    """The aligned crops of a dataset. size: the side of a crop in pixels.

    Tar files are searched once, when this is made: those that readers see, and those of shards that are not published.
    """

    def __init__(self, layout: Layout, outputs: Outputs, size: int) -> None:
        self._root, self._size = layout.root, size
        self._index: CropIndex | None = None
        if outputs.in_tars:
            unpacked = (layout.unpacked_of(number) for number in layout.numbers(layout.unpacked))
            self._index = CropIndex([*(layout.root / name for name in tars_on_disk(layout)), *unpacked])

    def read(self, name: str, known: frozenset[Checksum]) -> Pixels | None:
        """The crop with this name, (S, S, 3) uint8 RGB; None if there is none. known: checksums that it may have.

        Raises DatasetError `damaged_crop` if a file is not what was written, `damaged_dataset` if it is no file, and
        `cannot_read`.
        """
        data = self._file(name) if self._index is None else self._member(self._index, name, known)
        if data is None:
            return None
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        size = self._size
        if pixels is None or (known and checksum_of(data) not in known) or pixels.shape != (size, size, 3):
            raise self.damaged(name)
        return np.ascontiguousarray(pixels[..., ::-1], np.uint8)

    def damaged(self, name: str, what: str = "damaged") -> DatasetError:
        """The error for a crop that is damaged or missing."""
        crop: Path | str = self._root / name
        if self._index is not None:  # a damaged member of a tar file is not found
            crop, what = f"{name} in the tar files of {self._root}", "missing or damaged"
        return DatasetError(
            "damaged_crop",
            f"The crop {crop} is {what}. Run `{check_command(self._root)} --repair` and then the same build again, or "
            "forget its face.",
        )

    def _file(self, name: str) -> bytes | None:
        path = self._root / name
        with wrap_read_errors(path):
            try:
                with open_own_file(path) as stream:
                    return stream.read()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def _member(self, index: CropIndex, name: str, known: frozenset[Checksum]) -> bytes | None:
        found = (index.find(name, one.sha256) for one in known)
        return next((data for data in found if data is not None), None)


def checksums_of_crops(faces: pa.StructArray) -> Checksums:
    """The checksums of the aligned crops that faces of a ledger part with tar files have, by name."""
    columns = (faces.field(name).to_pylist() for name in ("file_name", "crops"))
    return checksums_by_name((name, Checksum(**crops[0])) for name, crops in zip(*columns, strict=True) if crops)
