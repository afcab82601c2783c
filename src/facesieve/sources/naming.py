"""What a picture is called, and which files of a folder are no pictures by their name alone."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path, PurePath

from facesieve.records import displayed

LONGEST_NAME = 255  # bytes of one component of a path, as file systems have it

# What trash cans, NAS systems and desktops put beside pictures: thumbnails, deleted files, old versions.
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

_DRIVE = re.compile(r"[A-Za-z]:")


def ignored_file(name: str) -> bool:
    """Whether a file is plainly text, data or a desktop's leftover. Every other file may be a picture.

    What has a wrong suffix or none counts: if it is no picture, its refusal says so.
    """
    lower = name.lower()
    return lower in IGNORED_FILES or name.startswith("._") or PurePath(lower).suffix in IGNORED_SUFFIXES


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
    """Whether a folder that holds these names is a dataset of ours, finished or not."""
    return ".facesieve" in names or ("dataset.json" in names and "faces.parquet" in names)


def unsafe(parts: list[str]) -> bool:
    """Whether the parts of an archive member's name are absolute, climb out, or are more than a file system takes."""
    absolute = parts[0] == "" or bool(_DRIVE.fullmatch(parts[0]))
    too_long = any(len(part.encode("utf-8", "surrogateescape")) > LONGEST_NAME for part in parts)
    return absolute or ".." in parts or any("\0" in part for part in parts) or too_long


def former(name: str, now: str = "") -> str:
    """How version 0.1.0 wrote a name into its ledger, or "" where that is the name of today (`now`).

    It composed names (NFC), and escaped all that Python calls unprintable, such as an ideographic space.
    """
    if name.isascii() and name.isprintable() and not now:
        return ""
    escaped = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)
    before = unicodedata.normalize("NFC", escaped)
    return "" if before == (now or displayed(name)) else before


def identity_of(path: str | Path) -> bytes:
    """Where a path is, as raw bytes: absolute, in one spelling. Links stay links.

    `..` leads to where the file system goes, which behind a link to a folder is not the folder of the link.
    """
    place = os.path.join(path if os.path.isabs(path) else os.getcwd(), path)  # noqa: PTH109, PTH117, PTH118 - any text
    if ".." in Path(place).parts:
        place = _climbed(place)
    return os.fsencode(os.path.normpath(place)).replace(b"//", b"/", 1)


def identity_of_member(archive: bytes, raw: bytes, times: int) -> bytes:
    """Of a member of an archive, by its stored name; times: how often the archive has had this name by now.

    A NUL byte stands where the parts meet: no path holds one, so that no file has the identity of a member.
    """
    return archive + b"!\0" + raw + b"\0" + (b" (%d)" % times if times > 1 else b"")


def identity_of_row(table: bytes, number: int) -> bytes:
    """Of what a list holds in one of its rows."""
    return table + b":\0%d" % number


def former_identity(identity: bytes) -> bytes:
    """How the identity of a member or row was written when it had no NUL bytes; b"" for that of a file."""
    place, nul, part = identity.partition(b"\0")
    if not nul or place.endswith(b":"):
        return place + part if nul else b""
    raw, _, again = part.rpartition(b"\0")
    return place + raw + (b"\0" + again.strip(b" ()") if again else b"")


def _climbed(place: str) -> str:
    here, *parts = Path(place).parts
    for part in parts:
        if part == "..":
            real = os.path.realpath(here) if os.path.islink(here) else here  # noqa: PTH114
            here = os.path.dirname(real)  # noqa: PTH120
        else:
            here = os.path.join(here, part)  # noqa: PTH118
    return here
