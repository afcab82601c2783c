"""Atomic writes: a file is written under a temporary name, synced to disk, and then renamed into place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from facesieve.dataset.disk.own_file import damaged_file
from facesieve.errors import DatasetError


@contextmanager
def wrap_write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError (disk full, read-only, name too long) into a DatasetError that names the path."""
    try:
        yield
    except OSError as error:
        raise DatasetError("cannot_write", f"Cannot write {path}: {error.strerror or error}.") from error


@contextmanager
def wrap_read_errors(path: Path) -> Iterator[None]:
    """Turn an OSError (no permission, file removed) into a DatasetError that names the path."""
    try:
        yield
    except OSError as error:
        raise DatasetError("cannot_read", f"Cannot read {path}: {error.strerror or error}.") from error


@contextmanager
def open_for_writing(path: Path, scratch: Path, modified: int | None = None) -> Iterator[BinaryIO]:
    """Yield a stream that becomes the file `path` when the block succeeds. If the block raises, no file is left.

    scratch: a folder for the temporary file, on the same file system.
    modified: the modification time of the file in nanoseconds since 1970; None means now.
    The name survives a power cut only after `sync_folders`. Raises DatasetError if the file cannot be written, and
    `damaged_dataset` if there is a folder in its place.
    """
    temporary = scratch / f"{os.urandom(4).hex()}.{path.name}"  # process ids repeat among machines
    with wrap_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as stream:
                yield stream
                stream.flush()
                if modified is not None:
                    os.utime(temporary, ns=(modified, modified))
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            if isinstance(error, IsADirectoryError):
                raise damaged_file(path, "this is a folder, not a file") from error
            raise


def write_file(data: bytes, path: Path, scratch: Path, modified: int | None = None) -> None:
    """Write one file atomically. Parameters and errors are those of `open_for_writing`.

    The name survives a power cut only after `sync_folders`, so that many files can share one sync.
    """
    with open_for_writing(path, scratch, modified) as stream:
        stream.write(data)


def write_file_durably(data: bytes, path: Path, scratch: Path) -> None:
    """Write one file atomically and sync its folder. Raises DatasetError if the file cannot be written."""
    write_file(data, path, scratch)
    sync_folders([path], path.parent)


def sync_folders(paths: Iterable[Path], root: Path) -> None:
    """Make the names of files durable: fsync every folder from each path up to `root`, each folder once.

    Raises DatasetError if a folder cannot be synced.
    """
    if os.name != "posix":  # only POSIX lets a folder be opened and synced
        return
    folders = {folder for path in paths for folder in path.parents if folder.is_relative_to(root)}
    for folder in sorted(folders):
        with wrap_write_errors(folder):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def replace_path(new: Path, path: Path, scratch: Path) -> None:
    """Move the file or folder `new` to `path` and remove what was there, whether it was a file or a folder.

    A file replaces a file in one step. In all other cases the old one is moved away first. A crash between the two
    steps leaves nothing at `path`, never a mixture. The name survives a power cut only after `sync_folders`.
    Raises DatasetError if the move fails.
    """
    with wrap_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (new.is_dir() or path.is_dir()):
            new.replace(path)
            return
        old = scratch / f"{os.getpid()}.{path.name}.away"
        if path.exists():
            path.rename(old)
        new.rename(path)
        remove_path(old)


def remove_path(path: Path) -> None:
    """Remove a file, or a folder with everything in it. Does nothing if the path does not exist."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
