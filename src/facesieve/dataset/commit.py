"""The only publisher: a file is written beside the dataset, made durable, and then renamed into place, whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from facesieve.errors import DatasetError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk refuses (full, read-only, too long a name) into one DatasetError that names the path."""
    try:
        yield
    except OSError as error:
        raise DatasetError("cannot_write", f"Cannot write {path}: {error.strerror or error}.") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the disk refuses (no permission, a file that went away) into one DatasetError that names the path."""
    try:
        yield
    except OSError as error:
        raise DatasetError("cannot_read", f"Cannot read {path}: {error.strerror or error}.") from error


@contextmanager
def whole(path: Path, scratch: Path, made: int | None = None) -> Iterator[BinaryIO]:
    """A stream that becomes the file `path` when the block ends well, and leaves no trace when it does not.

    `scratch` is a folder on the same file system. The name of `path` is durable after `settle`.
    made: the time of writing that the file gets, in nanoseconds since 1970; None is now.
    Raises DatasetError where the disk refuses.
    """
    temporary = scratch / f"{os.getpid()}.{path.name}"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as stream:
                yield stream
                stream.flush()
                if made is not None:
                    os.utime(temporary, ns=(made, made))
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def switch(new: Path, path: Path, scratch: Path) -> None:
    """Put a durable file or folder in the place of what `path` is, which may be the other of the two.

    A file replaces a file in one step. Else what is there is moved away first, so that a crash between the two steps
    leaves nothing in its place, and never a mixture. The name is durable after `settle`.
    Raises DatasetError where the disk refuses.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (new.is_dir() or path.is_dir()):
            new.replace(path)
            return
        away = scratch / f"{os.getpid()}.{path.name}.away"
        if path.exists():
            path.rename(away)
        new.rename(path)
        remove(away)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; nothing where it is absent."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def settle(paths: Iterable[Path], root: Path) -> None:
    """Make the names of published files durable: fsync each folder between them and `root`, once."""
    if os.name != "posix":  # only POSIX lets a folder be opened and synced
        return
    folders = {folder for path in paths for folder in path.parents if folder.is_relative_to(root)}
    for folder in sorted(folders):
        with writing(folder):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def put(data: bytes, path: Path, scratch: Path, made: int | None = None) -> None:
    """Write one file, whole. Its name is durable after `settle`. Raises DatasetError where the disk refuses.

    made: the time of writing that the file gets, in nanoseconds since 1970; None is now.
    """
    with whole(path, scratch, made) as stream:
        stream.write(data)


def publish(data: bytes, path: Path, scratch: Path) -> None:
    """Publish one file, whole and durable. Raises DatasetError where the disk refuses."""
    put(data, path, scratch)
    settle([path], path.parent)
