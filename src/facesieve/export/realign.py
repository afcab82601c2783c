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
from facesieve.errors import DatasetError, FacesieveError, UsageError
from facesieve.export.columns import values
from facesieve.export.split import container
from facesieve.records import Faces, Mask, Photo, Pixels, Source
from facesieve.settings import Settings
from facesieve.sources.file import from_file
from facesieve.sources.find import find_sources
from facesieve.sources.remote.remote import from_url
from facesieve.sources.remote.url import is_url

_ESCAPED = re.compile(rb"\\(x[0-9a-f]{2}|[tnr])")
_CHARACTERS = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


def realigned(rows: pa.Table, dataset: Manifests, size: int, folder: Path | None = None) -> Iterator[Pixels]:
    """Yield an aligned crop of each row, (size, size, 3) uint8 RGB, in order.

    folder: where the source pictures are now; None if they have not moved.
    Raises DatasetError `no_pictures` if a source picture is not there any more or has changed.
    """
    origin = dataset.about.origin
    settings = Settings.load(None, **{**origin.settings, **origin.limits})
    turns = _turns(dataset) if settings.turns > 1 else {}
    align, pictures = Aligner(settings.alignment, size), _Pictures(settings, folder)
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


def find_folder(folder: str | os.PathLike[str] | None, size: int | None) -> Path | None:
    """The folder of `--pictures`. Raises UsageError `no_folder` if it is none, or no picture is to be read."""
    if folder is None:
        return None
    if size is None:
        raise UsageError("no_folder", "--pictures says where the pictures for --size are; leave it out.")
    if not Path(folder).is_dir():
        raise UsageError("no_folder", f"{folder} is not a folder.")
    return Path(folder)


class _Pictures:
    """Reads source pictures by their names in the manifests, relative to the working folder as in the build.

    folder: where they are now. There, a picture is looked for under its name, and under the last parts of its name.
    """

    def __init__(self, settings: Settings, folder: Path | None) -> None:
        self._settings, self._folder = settings, folder
        self._container, self._members = "", dict[str, Source]()

    def read(self, source: str, picture_id: str) -> Photo:
        """The upright picture. It is the one that the build read, byte for byte."""
        why = "There is no such file."
        for one in self._sources(source):
            found = decode_one(one, self._settings)
            if isinstance(found, Photo) and found.picture_id == picture_id:
                return found
            why = "It has changed since the build." if isinstance(found, Photo) else found.message
        raise _lacking(source, why)

    def _sources(self, name: str) -> Iterator[Source]:
        """Yield what the name may mean: a URL, a file, or a member of an archive or a list."""
        if is_url(name):
            yield from_url(name, "", self._settings)
            return
        for path in (one for text in (name, _unescaped(name)) for one in self._paths(text)):
            if path.is_file():
                yield from_file(path)
        outer = container(name)
        for path in self._paths(outer) if outer != name else ():
            if path.is_file() and (member := self._member(path, name[len(outer) :])):
                yield member

    def _paths(self, name: str) -> Iterator[Path]:
        if self._folder is None:
            yield Path(name)
            return
        parts = [part for part in Path(name).parts if part not in ("/", "..")]
        yield from (self._folder.joinpath(*parts[at:]) for at in range(len(parts)))

    def _member(self, outer: Path, rest: str) -> Source | None:
        """A member of an archive or a list. rest: what follows the name of the file. The last file stays open."""
        if str(outer) != self._container:
            try:
                found = find_sources([str(outer)], self._settings)
            except FacesieveError:
                return None
            self._container, self._members = str(outer), {one.name: one for one in found.sources}
        return self._members.get(f"{outer}{rest}")


def _unescaped(name: str) -> str:
    """A name in manifests as a path: there, control characters and bytes that are not UTF-8 are escaped."""
    return os.fsdecode(
        _ESCAPED.sub(lambda found: _CHARACTERS.get(found[1]) or bytes([int(found[1][1:], 16)]), name.encode())
    )


def _lacking(source: str, why: str) -> DatasetError:
    return DatasetError(
        "no_pictures",
        f"Crops of another size are cut from the source pictures, and {source} cannot be read: {why} "
        "Run it where the build ran, name the folder of the pictures with --pictures, or leave out --size.",
    )
