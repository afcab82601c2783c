"""The pictures of the page: crops or thumbnails, and source pictures, drawn anew with the face marked."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.own_file import open_own_file
from facesieve.dataset.disk.parquet import read_table
from facesieve.dataset.disk.tar import read_at
from facesieve.decode import decode_one
from facesieve.draw.encode import jpeg
from facesieve.errors import DatasetError, UsageError
from facesieve.records import Pixels, Refusal, Source
from facesieve.regular_file import open_regular
from facesieve.review.faces import ID_BYTES, Faces, Rows
from facesieve.settings import Settings

MOST_CROP_BYTES = 1 << 20  # of a crop of 112 x 112, or of some larger ones; more is no crop
MOST_FILES = 8  # thumbnail files in memory, some megabytes each
CYAN, DARK = (0, 229, 255), (0, 0, 0)
LINE = 200  # the longer side of a picture divided by the width of the line around the face; the page shows it small


class Crops:
    """The small pictures of faces: the aligned crop, or the thumbnail of a face without one."""

    def __init__(self, faces: Faces) -> None:
        self._faces = faces
        self._index: tuple[np.ndarray, Rows, Rows] | None = None
        self._files = OrderedDict[int, pa.Table]()

    def read(self, row: int) -> bytes:
        """The picture of a face as PNG or JPEG; b"" if there is none any more."""
        path = self._faces.crop_path(row)
        return (path is not None and self._crop(path, row)) or self._thumb(row)

    def _crop(self, path: Path, row: int) -> bytes:
        try:
            if tars := self._faces.tars:
                return read_at(path, int(tars.offset[row]), min(int(tars.size[row]), MOST_CROP_BYTES))
            with open_own_file(path) as stream:
                return stream.read(MOST_CROP_BYTES)
        except (OSError, DatasetError):  # it was removed, or is no file
            return b""

    def _thumb(self, row: int) -> bytes:
        if self._index is None:
            self._index = self._read_index()
        ids, files, rows = self._index
        at = int(np.searchsorted(ids, self._faces.ids[row]))
        if at == len(ids) or ids[at] != self._faces.ids[row]:
            return b""
        jpegs = self._file(int(files[at]))["jpeg"]
        return (jpegs[int(rows[at])].as_py() or b"") if rows[at] < len(jpegs) else b""

    def _file(self, number: int) -> pa.Table:
        if number not in self._files:
            while len(self._files) >= MOST_FILES:
                self._files.popitem(last=False)
            self._files[number] = _table(self._faces.dataset.layout.thumbs_of(number), ["jpeg"])
        self._files.move_to_end(number)
        return self._files[number]

    def _read_index(self) -> tuple[np.ndarray, Rows, Rows]:
        """Where the thumbnail of each face is: (T,) sorted ids, (T,) numbers of files, (T,) rows in them."""
        layout, parts = self._faces.dataset.layout, list[tuple[np.ndarray, Rows, Rows]]()
        for number in layout.numbers(layout.thumbs):
            ids = _table(layout.thumbs_of(number), ["face_id"])["face_id"].to_pylist()
            held = np.array([bytes.fromhex(one) for one in ids], f"V{ID_BYTES}")
            parts.append((held, np.full(len(held), number, np.int32), np.arange(len(held), dtype=np.int32)))
        if not parts:
            return np.zeros(0, f"V{ID_BYTES}"), np.zeros(0, np.int32), np.zeros(0, np.int32)
        ids, files, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(ids, kind="stable")
        return ids[order], files[order], rows[order]


def _table(path: Path, columns: list[str]) -> pa.Table:
    """Columns of a file of thumbnails; without rows if it cannot be read."""
    try:
        return read_table(path, columns)
    except DatasetError:
        return pa.table({name: pa.array([], pa.binary()) for name in columns})


def marked_source(source: str, picture_id: str, box: tuple[float, ...], side: int, settings: Settings) -> bytes:
    """The source picture of a face as JPEG, decoded by FaceSieve and at most `side` pixels wide and high.

    The box of the face is drawn on it. Only a regular file of this machine is opened.
    Raises UsageError `no_source_picture` with a sentence if there is no such picture.
    """
    path = Path(source)
    if not path.is_file():
        raise UsageError("no_source_picture", "There is no such file here. It was moved, or is in an archive or a URL.")
    result = decode_one(Source(source, open=partial(open_regular, path)), settings)
    if isinstance(result, Refusal):
        raise UsageError("no_source_picture", f"The source cannot be shown: {result.message}")
    if result.picture_id != picture_id:
        raise UsageError("no_source_picture", "The file has changed since it was read, so it is not shown.")
    return jpeg(_marked(result.pixels, box, side), 85)


def _marked(pixels: Pixels, box: tuple[float, ...], side: int) -> Pixels:
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    left, top, right, bottom = (round(value * scale) for value in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
    line = max(2, max(size) // LINE)
    for colour, thick in ((DARK, 2 * line), (CYAN, line)):
        cv2.rectangle(small, (left, top), (right, bottom), colour, thick)
    return small
