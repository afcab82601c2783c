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
_PART = re.compile(r"part-[0-9]{5,}\.parquet")
_NUMBERED = re.compile(r"[0-9]{8,}\.(parquet|txt)")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one dataset. What is under `.facesieve` belongs to the build, not to the reader."""

    root: Path

    @property
    def faces(self) -> Path:
        """A file, or a folder of files where it has many rows; see `files_of`."""
        return self.root / "faces.parquet"

    @property
    def pictures(self) -> Path:
        """As `faces`."""
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
    def lost(self) -> Path:
        """Pictures whose rows went with a damaged part, until a build has done them again; absent otherwise."""
        return self.hidden / "lost.json"

    @property
    def lists(self) -> Path:
        """Which pictures came through which list of paths, as hashes; absent where no list was named."""
        return self.hidden / "lists.parquet"

    @property
    def scratch(self) -> Path:
        return self.hidden / "scratch"

    @property
    def lock(self) -> Path:
        return self.hidden / "lock"

    def files_of(self, manifest: Path) -> list[Path]:
        """The files that hold a manifest, in order: itself, or those in the folder of its name.

        Other files in the folder are not ours. A folder without any of ours counts as a manifest that is missing.
        """
        if not manifest.is_dir():
            return [manifest]
        with reading(manifest):
            names = sorted((name for name in os.listdir(manifest) if _PART.fullmatch(name)), key=_by_number)  # noqa: PTH208 - names alone
        return [manifest / name for name in names] or [manifest / part_name(0)]

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

    def written(self) -> Iterator[str]:
        """Names, relative to the root, of all picture files that a build has put here."""
        for path in self._pictures():
            if _OURS.fullmatch(path.name):
                yield self.name_of(path)

    def strange(self) -> Iterator[str]:
        """Names, relative to the root, of other files in the folders of pictures: no build writes such a name."""
        for path in self._pictures():
            if path != self.metadata and not _OURS.fullmatch(path.name):
                yield self.name_of(path)

    def _pictures(self) -> Iterator[Path]:
        for top in ("kept", "rejected", "crops", "marked"):
            yield from _files_below(self.root / top)


def part_name(number: int) -> str:
    """Name of a file in the folder of a manifest with many rows."""
    return f"part-{number:05d}.parquet"


def _by_number(name: str) -> tuple[int, str]:
    return len(name), name


def size_of(path: Path) -> int | None:
    """Size of a file in bytes, or None where there is no file."""
    with reading(path):
        try:
            state = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return state.st_size if stat.S_ISREG(state.st_mode) else None


def _files_below(folder: Path) -> Iterator[Path]:
    """Every file in a folder and the folders in it; links to folders are not followed."""
    with reading(folder):
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        yield from _files_below(Path(entry.path))
                    elif entry.is_file():
                        yield Path(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            return


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
