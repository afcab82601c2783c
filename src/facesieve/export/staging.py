"""The staging folder: an export is written there until it is whole. An export that was stopped is continued in it.

Files are only appended to. After each batch their sizes are recorded, so continuing means cutting them back to these
sizes and writing the batches that are missing. At the end the folder is renamed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from facesieve.dataset.disk.atomic import remove_path, sync_folders, wrap_write_errors, write_file
from facesieve.errors import DatasetError
from facesieve.run.claim import check_writable, other_files

STATE = ".state"


class Staging:
    """The unfinished export beside `output`. done: how many batches are written. Use `staged` to make one."""

    def __init__(self, output: Path, key: str) -> None:
        self.output = output
        self.root = folder_beside(output)
        self._state = self.root / STATE / "progress.json"
        self._key = key
        self._streams: dict[str, BinaryIO] = {}
        self._sizes: dict[str, int] = {}
        self._whole: list[BinaryIO] = []
        self._loose = False
        self.done = 0
        self._continue()

    @property
    def scratch(self) -> Path:
        """A folder for temporary files, which is gone at the end."""
        return self.root / STATE / "scratch"

    def append_to(self, name: str) -> BinaryIO:
        """The stream of a file that grows from batch to batch."""
        if name not in self._streams:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            stream = path.open("ab")
            stream.truncate(self._sizes.get(name, 0))
            stream.seek(0, os.SEEK_END)
            self._streams[name] = stream
        return self._streams[name]

    def whole(self, name: str) -> BinaryIO:
        """The stream of a file that the next `commit` completes."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._whole.append(path.open("wb"))
        return self._whole[-1]

    def write(self, name: str, data: bytes) -> None:
        """Write a small file. Its folder must exist."""
        self._loose = True
        with open(os.path.join(self.root, name), "wb", buffering=0) as stream:  # noqa: PTH118, PTH123 - takes half the time
            stream.write(data)

    def commit(self) -> None:
        """Record that one more batch is written, once all its bytes are on the disk."""
        for stream in (*self._streams.values(), *self._whole):
            stream.flush()
            os.fsync(stream.fileno())
        self._sizes |= {name: stream.tell() for name, stream in self._streams.items()}
        while self._whole:
            self._whole.pop().close()
        if self._loose and hasattr(os, "sync"):  # one call for many small files
            os.sync()
        self._loose = False
        self.done += 1
        state = {"key": self._key, "done": self.done, "sizes": self._sizes}
        write_file(json.dumps(state).encode(), self._state, self.scratch)

    def close(self) -> None:
        """Close all files. After an error, closing tries to write the rest once more; that may fail again."""
        for stream in (*self._streams.values(), *self._whole):
            with suppress(OSError):
                stream.close()
        self._streams.clear()
        self._whole.clear()

    def publish(self) -> None:
        """Rename the folder to the output. What desktops left in the empty output folder stays there."""
        for stream in (*self._streams.values(), *self._whole):
            stream.flush()
            os.fsync(stream.fileno())
        self.close()
        sync_folders([self.root / STATE, *(self.root / name for name in self._sizes)], self.root)
        shutil.rmtree(self.root / STATE)
        if self.output.is_dir():
            for name in os.listdir(self.output):  # noqa: PTH208 - names alone
                (self.output / name).rename(self.root / name)
            self.output.rmdir()
        self.root.rename(self.output)
        sync_folders([self.output], self.output.parent)

    def _continue(self) -> None:
        """Take over what an earlier run of the same export finished, and remove what another one left."""
        try:
            state = json.loads(self._state.read_bytes())
        except (OSError, ValueError):
            state = {}
        if state.get("key") == self._key:
            self.done, self._sizes = state["done"], state["sizes"]
            return
        for path in self.root.iterdir():
            if path.name != STATE:
                remove_path(path)


def folder_beside(output: Path) -> Path:
    """The folder that an export is written in until it is whole."""
    absolute = output.absolute()
    return absolute.parent / f".{absolute.name}.export"


@contextmanager
def staged(output: Path, key: str) -> Iterator[Staging]:
    """Yield the folder to write an export in. key: equal only for an export that may be continued.

    Raises DatasetError if the output is not a new or empty folder, is in a dataset or cannot be written, or if another
    export writes to it.
    """
    output = output.resolve() if output.is_dir() else output  # a link to an empty folder stays a link
    if output.is_dir() and (others := other_files(output)):
        raise DatasetError("not_empty", f"{output} is not empty, it has {others[0]!r}. Name a new folder.")
    if output.is_mount():
        raise DatasetError("is_a_mount", f"{output} is where a disk is mounted. Name a new folder in it.")
    check_writable(output)
    root = folder_beside(output)
    with wrap_write_errors(root):
        (root / STATE).mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / STATE / "lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise DatasetError("in_use", f"Another export is writing to {output}. Wait until it has ended.") from error
    held: Staging | None = None
    try:
        with wrap_write_errors(root):
            held = Staging(output, key)
        with _kept_after_errors(root):
            yield held
    finally:
        if held is not None:
            held.close()
        lock.release()


@contextmanager
def _kept_after_errors(root: Path) -> Iterator[None]:
    try:
        with wrap_write_errors(root):
            yield
    except DatasetError as error:
        if error.code != "cannot_write":
            raise
        how = "What is finished was kept; make room, and the same command continues it."
        raise DatasetError(error.code, f"{error.message} {how}") from error
