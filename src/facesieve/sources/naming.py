"""What a picture is called and filed under, and which files of a heap are no pictures by their name alone."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path, PurePath

LONGEST_NAME = 255

# Left out of folders and archives without a word: what cameras, desktops and annotators put beside pictures.
# Every other file counts: with a wrong suffix or none it may be a picture, and if not, its refusal says so.
IGNORED_FOLDERS = frozenset({"__MACOSX"})
IGNORED_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
_TEXT_AND_DATA = """
    .txt .csv .tsv .md .rst .json .jsonl .ndjson .xml .yaml .yml .toml .ini .cfg .html .htm .css .js .log
    .py .ipynb .sh .mat .npy .npz .pkl .pts .parquet .arrow .db .sqlite .xls .xlsx .doc .docx .xmp .aae
"""
IGNORED_SUFFIXES = frozenset(_TEXT_AND_DATA.split())


def ignored_file(name: str) -> bool:
    """Whether a file is left out of a folder or archive: hidden, a desktop's leftover, or plainly text or data."""
    lower = name.lower()
    return name.startswith(".") or lower in IGNORED_FILES or PurePath(lower).suffix in IGNORED_SUFFIXES


def ignored_folder(name: str) -> bool:
    """Whether a folder is left out with all that is in it."""
    return name.startswith(".") or name in IGNORED_FOLDERS


def ignored_member(name: str) -> bool:
    """The same for the whole name of an archive member."""
    *folders, file = [part for part in name.split("/") if part not in ("", ".")] or [""]
    return ignored_file(file) or any(ignored_folder(folder) for folder in folders)


def unsafe(member: str) -> bool:
    """Whether an archive member's name is absolute, climbs out with `..`, or is more than a file system takes."""
    parts = member.replace("\\", "/").split("/")
    absolute = parts[0] == "" or parts[0].endswith(":")
    return absolute or ".." in parts or "\0" in member or len(os.fsencode(member)) > LONGEST_NAME


def label_of(relative: str) -> str:
    """The name of the folder a picture lies in, below its root; "" for one directly in the root."""
    return posixpath.basename(posixpath.dirname(posixpath.normpath(relative)))


def printable(name: str) -> str:
    """A name that every file and terminal can hold: control characters and bytes that are not UTF-8 as escapes."""
    if name.isprintable():
        return name
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)


def place_of(path: str | Path) -> str:
    """Where a path is, in one spelling; links stay links."""
    return os.path.abspath(path)  # noqa: PTH100 - resolving would make two names of a link one
