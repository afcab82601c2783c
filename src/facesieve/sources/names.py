"""Which files and folders are archives, datasets, hidden, system folders or plain data, by their names alone."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import PurePath

LONGEST_NAME = 255  # bytes of one component of a path, as file systems have it

# Folders that trash cans, NAS systems and desktops make beside pictures: thumbnails, deleted files, old versions.
SYSTEM_FOLDERS = frozenset(
    {
        *("__macosx", "@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "recycler"),
        *("$recycle.bin", "system volume information", "lost+found", "network trash folder", "temporary items"),
        *(".thumbnails", ".@__thumb", ".snapshot", ".snapshots", ".zfs"),
        *(".trashes", ".fseventsd", ".spotlight-v100", ".appledouble"),
    }
)
IGNORED_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store", ".localized"})
_TEXT_AND_DATA = """
    .txt .csv .tsv .md .rst .json .jsonl .ndjson .xml .yaml .yml .toml .ini .cfg .html .htm .css .js .log
    .py .ipynb .sh .mat .npy .npz .pkl .pts .parquet .arrow .db .sqlite .xls .xlsx .doc .docx .xmp .aae
"""
IGNORED_SUFFIXES = frozenset(_TEXT_AND_DATA.split())

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

# Only a guess, so that a build divides its work well; the content decides what is a clip.
CLIP_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".3gp", ".3g2", ".f4v"),
)
CLIP_COST = 300  # one minute at five frames a second

_DRIVE = re.compile(r"[A-Za-z]:")


def ignored_file(name: str) -> bool:
    """Whether a file is text, data, or a file that a desktop left. Every other file may be a picture.

    A file with a wrong suffix or none may be a picture too; if it is not, its refusal says so.
    """
    lower = name.lower()
    return lower in IGNORED_FILES or name.startswith("._") or PurePath(lower).suffix in IGNORED_SUFFIXES


def cost_of(name: str) -> int:
    """How many still pictures a file probably counts as, by the end of its name."""
    return CLIP_COST if name.lower().endswith(CLIP_SUFFIXES) else 1


def is_archive_name(name: str) -> bool:
    """Whether a file is an archive by the end of its name."""
    return name.lower().endswith(ZIP_SUFFIXES + TAR_SUFFIXES)


def system_folder(name: str) -> bool:
    """Whether a folder belongs to a trash can, a NAS or a desktop."""
    lower = name.lower()
    return lower in SYSTEM_FOLDERS or lower.startswith((".trash", ".recycle"))


def hidden(name: str) -> bool:
    """Whether a file or folder is hidden."""
    return name.startswith(".")


def is_dataset(names: Collection[str]) -> bool:
    """Whether a folder that holds these names is a dataset made by FaceSieve, finished or not."""
    return ".facesieve" in names or ("dataset.json" in names and "faces.parquet" in names)


def unsafe(parts: list[str]) -> bool:
    """Whether the name of an archive member is absolute, contains `..` or NUL, or has a part that is too long."""
    absolute = parts[0] == "" or bool(_DRIVE.fullmatch(parts[0]))
    too_long = any(len(part.encode("utf-8", "surrogateescape")) > LONGEST_NAME for part in parts)
    return absolute or ".." in parts or any("\0" in part for part in parts) or too_long
