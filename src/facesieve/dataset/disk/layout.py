"""Where each file lies in the folder of a dataset."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from facesieve.buckets.url import SCHEMES
from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.dataset.disk.names import METADATA
from facesieve.errors import UsageError

_PICTURE = re.compile(r"(.+\.[0-9a-f]{8}\.(jpg|webm)|[0-9a-f]{32}\.(png|jpg|tar))")
HIDDEN = ".facesieve"
_PART = re.compile(r"part-[0-9]{5,}\.parquet")
_NUMBERED = re.compile(r"[0-9]{8,}\.(parquet|txt|tar)")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one dataset. Builds use what is under `.facesieve`; readers of the dataset do not need it."""

    root: Path

    def __post_init__(self) -> None:
        """Raises UsageError `dataset_in_bucket` for the URL of a bucket, which a Path holds as `s3:/bucket/key`.

        Raises DatasetError `cannot_read` if this user may not enter the folders.
        """
        if url := bucket_of(self.root):
            raise UsageError(
                "dataset_in_bucket",
                f"{url} is in a bucket, where only build, merge -o and forget work. For other commands, copy it to a "
                f"folder: facesieve pull {quote(url)} FOLDER",
            )
        with wrap_read_errors(self.hidden), suppress(FileNotFoundError, NotADirectoryError):
            self.made.stat()  # `exists`, which is asked of many files here, raises PermissionError

    @property
    def faces(self) -> Path:
        """The manifest of faces: one file, or a folder of files if there are many rows; see `files_of`."""
        return self.root / "faces.parquet"

    @property
    def pictures(self) -> Path:
        """The manifest of pictures: a file or a folder, like `faces`."""
        return self.root / "pictures.parquet"

    @property
    def embeddings(self) -> Path:
        """The embeddings of the faces, a file or a folder like `faces`; absent if none were computed."""
        return self.root / "embeddings.parquet"

    @property
    def people(self) -> Path:
        """What `facesieve people` found about each label; absent until then, and after each change of the dataset."""
        return self.root / "people.parquet"

    @property
    def report(self) -> Path:
        """The page that `facesieve report` writes; absent until then, and after each change of the dataset."""
        return self.root / "report.html"

    @property
    def report_sums(self) -> Path:
        """The checksum of `report`; absent if there is none."""
        return self.sums / "report.txt"

    @property
    def decisions(self) -> Path:
        """What people decided about single faces; absent if there are no decisions."""
        return self.root / "decisions.parquet"

    @property
    def metadata(self) -> Path:
        """The manifest of the kept crops, in the folder where image-folder loaders look for it."""
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
    def clips(self) -> Path:
        """How clips are read in this dataset; absent as long as it has none."""
        return self.hidden / "clips.json"

    @property
    def parts(self) -> Path:
        return self.hidden / "parts"

    @property
    def thumbs(self) -> Path:
        return self.hidden / "thumbs"

    @property
    def tars(self) -> Path:
        """Folder of the tar files of crops, in a dataset with `--crops-as shards`."""
        return self.root / "shards"

    @property
    def unpacked(self) -> Path:
        """Folder of the crops of finished shards that are not in `tars` yet: one tar file per shard."""
        return self.hidden / "crops"

    @property
    def sums(self) -> Path:
        """Folder of the checksum files."""
        return self.hidden / "sums"

    @property
    def published_sums(self) -> Path:
        """Checksums of the published files and the ledger; absent while the manifests are being replaced."""
        return self.sums / "published.txt"

    @property
    def lost(self) -> Path:
        """Pictures whose rows were lost with a damaged ledger part; absent if there are none to build again."""
        return self.hidden / "lost.json"

    @property
    def merging(self) -> Path:
        """It exists while datasets are merged into this one, and after a merge that was killed."""
        return self.hidden / "merging"

    @property
    def lists(self) -> Path:
        """Which pictures came through which list of paths, as hashes; absent where no list was named."""
        return self.hidden / "lists.parquet"

    @property
    def exports(self) -> Path:
        """A receipt of each export, one Parquet file each; absent where nothing was exported."""
        return self.hidden / "exports"

    @property
    def forgotten(self) -> Path:
        """What was forgotten and must not be added again, as salted hashes; absent where nothing was."""
        return self.hidden / "forgotten.parquet"

    @property
    def permits(self) -> Path:
        """Permits of workers on other machines to write; absent while there are none."""
        return self.hidden / "permits"

    @property
    def applied(self) -> Path:
        """The decisions that the manifests were published with; absent if there never were any."""
        return self.hidden / "applied.parquet"

    @property
    def decision_lock(self) -> Path:
        """The lock for one change of the decisions."""
        return self.hidden / "decisions.lock"

    @property
    def decision_scratch(self) -> Path:
        """Folder of temporary files of decisions, because a build empties `scratch` at its end."""
        return self.hidden / "deciding"

    @property
    def scratch(self) -> Path:
        return self.hidden / "scratch"

    @property
    def lock(self) -> Path:
        return self.hidden / "lock"

    @property
    def own_hidden(self) -> frozenset[Path]:
        """All paths that can be directly in the hidden folder."""
        folders = (self.parts, self.thumbs, self.unpacked, self.sums, self.exports, self.permits)
        scratch = (self.scratch, self.decision_scratch, self.lock, self.decision_lock)
        files = (self.made, self.clips, self.lost, self.merging, self.lists, self.forgotten, self.applied)
        return frozenset((*folders, *scratch, *files))

    def files_of(self, manifest: Path) -> list[Path]:
        """The files of a manifest, in order: the path itself, or the part files if the path is a folder.

        Other files in the folder are ignored. If there is no part file, the result names the first one, which is
        then missing.
        """
        if not manifest.is_dir():
            return [manifest]
        with wrap_read_errors(manifest):
            names = sorted((name for name in os.listdir(manifest) if _PART.fullmatch(name)), key=_by_number)  # noqa: PTH208 - names alone
        return [manifest / name for name in names] or [manifest / part_name(0)]

    def part(self, number: int) -> Path:
        """The ledger part of one finished shard: its rows."""
        return self.parts / f"{number:08d}.parquet"

    def thumbs_of(self, number: int) -> Path:
        """The thumbnails of one finished shard."""
        return self.thumbs / f"{number:08d}.parquet"

    def unpacked_of(self, number: int) -> Path:
        """The crops of one finished shard that are not in `tars` yet."""
        return self.unpacked / f"{number:08d}.tar"

    def sums_of(self, number: int) -> Path:
        """The checksum file of one finished shard: for its ledger part, its thumbnails and its picture files."""
        return self.sums / f"{number:08d}.txt"

    def numbers(self, folder: Path) -> list[int]:
        """The numbers of the shards that have a file in a folder, ascending. Files with other names are ignored."""
        with wrap_read_errors(folder):
            names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - names alone, and any text
        return sorted(int(name.partition(".")[0]) for name in names if _NUMBERED.fullmatch(name))

    def name_of(self, path: Path) -> str:
        """The name of a path relative to the root, with `/` between its parts."""
        return path.relative_to(self.root).as_posix()

    def picture_files(self) -> Iterator[str]:
        """Yield the names, relative to the root, of all picture files that builds have written."""
        for path in self._files():
            if _PICTURE.fullmatch(path.name):
                yield self.name_of(path)

    def foreign_files(self) -> Iterator[str]:
        """Yield the names, relative to the root, of files in the picture folders that no build writes."""
        for path in self._files():
            if path != self.metadata and not _PICTURE.fullmatch(path.name):
                yield self.name_of(path)

    def _files(self) -> Iterator[Path]:
        for top in ("kept", "rejected", "crops", "marked", "shards"):
            yield from _files_below(self.root / top)


def bucket_of(dataset: str | os.PathLike[str]) -> str | None:
    """The URL of a dataset in a bucket; None for a folder. A Path has lost one of the two slashes of the URL."""
    scheme, colon, rest = os.fspath(dataset).partition(":/")
    return f"{scheme.lower()}://{rest.lstrip('/')}" if colon and scheme.lower() in SCHEMES else None


def part_name(number: int) -> str:
    """The name of one file of a manifest that is a folder."""
    return f"part-{number:05d}.parquet"


def _by_number(name: str) -> tuple[int, str]:
    return len(name), name


def file_size(path: Path) -> int | None:
    """The size of a file in bytes; None if there is no regular file. Raises DatasetError if it cannot be read."""
    with wrap_read_errors(path):
        try:
            state = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return state.st_size if stat.S_ISREG(state.st_mode) else None


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield every file in a folder and its subfolders. Links to folders are not followed."""
    with wrap_read_errors(folder):
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        yield from _files_below(Path(entry.path))
                    elif entry.is_file():
                        yield Path(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            return
