"""Crops of another size, cut again from the source pictures. A crop is never enlarged."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.align import Aligner
from facesieve.dataset.manifests import Manifests
from facesieve.dataset.tables.schema import LANDMARKS
from facesieve.decode import decode_one
from facesieve.errors import DatasetError, FacesieveError
from facesieve.export.columns import values
from facesieve.export.split import container
from facesieve.records import Faces, Mask, Photo, Pixels, Source
from facesieve.settings import Settings
from facesieve.sources.file import from_file
from facesieve.sources.find import find_sources
from facesieve.sources.remote.url import is_url

_ESCAPED = re.compile(rb"\\(x[0-9a-f]{2}|[tnr])")
_CHARACTERS = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


def realigned(rows: pa.Table, dataset: Manifests, size: int) -> Iterator[Pixels]:
    """Yield an aligned crop of each row, (size, size, 3) uint8 RGB, in order.

    Raises DatasetError `no_pictures` if a source picture is not there any more or has changed.
    """
    origin = dataset.about.origin
    settings = Settings.load(None, **{**origin.settings, **origin.limits})
    turns = _turns(dataset) if settings.turns > 1 else {}
    align, pictures = Aligner(settings.alignment, size), _Pictures(settings)
    points = np.stack([np.asarray(rows[name], np.float64) for name in LANDMARKS], axis=1).reshape(-1, 5, 2)
    keys = list(zip(*(rows[name].to_pylist() for name in ("source", "picture_id")), strict=True))
    for (source, picture_id), group in groupby(range(len(rows)), key=keys.__getitem__):
        photo, own = pictures.read(source, picture_id), list(group)
        photo = photo.turned(turns[source]) if source in turns else photo
        faces = Faces(np.zeros(len(own), np.intp), np.zeros((len(own), 4)), np.ones(len(own)), points[own])
        yield from align([photo], faces).crops


def check_stills(dataset: Manifests, taken: Mask) -> None:
    """Raise DatasetError `no_pictures` if a face that is taken is of a clip, whose frames are not read again."""
    if dataset.about.origin.clips is None:
        return
    of_clips = [np.asarray(rows["frame"].is_valid(), bool) for rows in dataset.face_tables(["frame"])]
    if count := int((np.concatenate([np.zeros(0, bool), *of_clips]) & taken).sum()):
        raise DatasetError(
            "no_pictures",
            f"Crops of another size are cut from pictures, not from clips, and {count} of these faces are from clips. "
            "Leave out --size, or leave out these faces: --where 'frame is None'.",
        )


def _turns(dataset: Manifests) -> dict[str, int]:
    """By how many degrees each picture was turned, without those that were not."""
    turned = (rows.filter(pc.greater(rows["turn"], 0)) for rows in dataset.picture_tables())
    return {source: turn for rows in turned for source, turn in values(rows, ("source", "turn"))}


class _Pictures:
    """Reads source pictures by their names in the manifests, relative to the working folder as in the build."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._container, self._members = "", dict[str, Source]()

    def read(self, source: str, picture_id: str) -> Photo:
        """The upright picture. It is the one that the build read, byte for byte."""
        found = decode_one(self._source(source), self._settings)
        if not isinstance(found, Photo):
            raise _lacking(source, found.message)
        if found.picture_id != picture_id:
            raise _lacking(source, "It has changed since the build.")
        return found

    def _source(self, name: str) -> Source:
        for path in (Path(name), Path(_unescaped(name))):
            if path.is_file():
                return from_file(path)
        outer = container(name)
        if is_url(name) or not Path(outer).is_file():
            raise _lacking(name, "There is no such file.")
        if outer != self._container:
            try:
                found = find_sources([outer], self._settings)
            except FacesieveError as error:
                raise _lacking(name, error.message) from error
            self._container, self._members = outer, {one.name: one for one in found.sources}
        if name not in self._members:
            raise _lacking(name, "There is no such member.")
        return self._members[name]


def _unescaped(name: str) -> str:
    """A name in manifests as a path: there, control characters and bytes that are not UTF-8 are escaped."""
    return os.fsdecode(
        _ESCAPED.sub(lambda found: _CHARACTERS.get(found[1]) or bytes([int(found[1][1:], 16)]), name.encode())
    )


def _lacking(source: str, why: str) -> DatasetError:
    return DatasetError(
        "no_pictures",
        f"Crops of another size are cut from the source pictures, and {source} cannot be read: {why} "
        "Run it where the build ran, or leave out --size.",
    )
