"""Where everything lies in a dataset folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facesieve.dataset.names import folder_of, plain, safe_name

_OURS = re.compile(r"(.+\.[0-9a-f]{8}\.jpg|[0-9a-f]{32}\.(png|jpg))")


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
        return self.root / "kept" / "metadata.parquet"

    @property
    def about(self) -> Path:
        return self.root / "dataset.json"

    @property
    def sheet(self) -> Path:
        return self.root / "contact_sheet.html"

    @property
    def hidden(self) -> Path:
        return self.root / ".facesieve"

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
    def scratch(self) -> Path:
        return self.hidden / "scratch"

    @property
    def lock(self) -> Path:
        return self.hidden / "lock"

    def written(self) -> Iterator[str]:
        """Names, relative to the root, of all picture files that a build has put here."""
        for top in ("kept", "rejected", "crops", "marked"):
            for path in sorted((self.root / top).rglob("*.*")):
                if _OURS.fullmatch(path.name) and path.is_file():
                    yield path.relative_to(self.root).as_posix()


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
