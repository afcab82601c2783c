"""Where everything lies in a dataset folder."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facesieve.dataset.commit import reading
from facesieve.dataset.names import METADATA, folder_of, plain, safe_name

_OURS = re.compile(r"(.+\.[0-9a-f]{8}\.jpg|[0-9a-f]{32}\.(png|jpg))")
HIDDEN = ".facesieve"
_NUMBERED = re.compile(r"[0-9]{8,}\.(parquet|txt)")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one dataset. What is under `.facesieve` belongs to the build, not to the reader."""

    root: Path

    @property
    def faces(self) -> Path:
        return self.root / "faces.parquet"

    @property
    def pictures(self) -> Path:
        return self.root / "pictures.parquet"

    @property
    def metadata(self) -> Path:
        """The manifest of the kept crops beside them, where image-folder loaders look for it."""
        return self.root / "kept" / METADATA

    @property
    def about(self) -> Path:
        return self.root / "dataset.json"

    @property
    def sheet(self) -> Path:
        return self.root / "contact_sheet.html"

    @property
    def hidden(self) -> Path:
        return self.root / HIDDEN

    @property
    def made(self) -> Path:
        return self.hidden / "made.json"

    @property
    def parts(self) -> Path:
        return self.hidden / "parts"

    @property
    def thumbs(self) -> Path:
        return self.hidden / "thumbs"

    @property
    def sums(self) -> Path:
        """Sizes and checksums of what the build wrote."""
        return self.hidden / "sums"

    @property
    def published_sums(self) -> Path:
        """Those of the manifests, the sheet and what made the dataset; absent while they are being written."""
        return self.sums / "published.txt"

    @property
    def scratch(self) -> Path:
        return self.hidden / "scratch"

    @property
    def lock(self) -> Path:
        return self.hidden / "lock"

    def part(self, number: int) -> Path:
        """The rows of one finished shard."""
        return self.parts / f"{number:08d}.parquet"

    def thumbs_of(self, number: int) -> Path:
        """The small pictures of one finished shard."""
        return self.thumbs / f"{number:08d}.parquet"

    def sums_of(self, number: int) -> Path:
        """The sums of one finished shard: its rows, its small pictures, and the picture files it wrote."""
        return self.sums / f"{number:08d}.txt"

    def numbers(self, folder: Path) -> list[int]:
        """Numbers of the shards that have a file in a folder, ascending. Files with other names are not ours."""
        with reading(folder):
            names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - names alone, and any text
        return sorted(int(name.partition(".")[0]) for name in names if _NUMBERED.fullmatch(name))

    def name_of(self, path: Path) -> str:
        """A path below the root as a name relative to it."""
        return path.relative_to(self.root).as_posix()

    def written(self) -> Iterator[tuple[str, int]]:
        """Names, relative to the root, and sizes of all picture files that a build has put here."""
        for top in ("kept", "rejected", "crops", "marked"):
            for path in _files_below(self.root / top):
                if _OURS.fullmatch(path.name):
                    size = size_of(path)
                    if size is not None:
                        yield self.name_of(path), size


def size_of(path: Path) -> int | None:
    """Size of a file in bytes, or None where there is no file."""
    with reading(path):
        try:
            state = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return state.st_size if stat.S_ISREG(state.st_mode) else None


def _files_below(folder: Path) -> Iterator[Path]:
    """Every file in a folder and the folders in it, by name; links to folders are not followed."""
    with reading(folder):
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def crop_name(label: str, face_id: str, kept: bool) -> str:
    """The aligned crop of a face, relative to the root."""
    return f"{'kept' if kept else 'rejected'}/{folder_of(label)}/{face_id}.png"


def cut_name(what: str, label: str, face_id: str) -> str:
    """The unaligned `face` or `head` crop of a face, relative to the root."""
    return f"crops/{what}/{folder_of(label)}/{face_id}.jpg"


def marked_name(label: str, source: str, picture_id: str) -> str:
    """The marked copy of a picture, relative to the root: the picture's own name and eight digits of its sha256."""
    stem = safe_name(re.split(r"[/\\!]", plain(source))[-1].rpartition(".")[0] or "picture")
    return f"marked/{folder_of(label)}/{stem}.{picture_id[:8]}.jpg"
