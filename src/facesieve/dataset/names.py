"""Labels and source names as names of folders and files that every file system and loader takes."""

from __future__ import annotations

import hashlib
import re
import unicodedata

UNLABELLED = "unlabelled"
METADATA = "metadata.parquet"
LONGEST = 100
DIGEST = 8
# Names beside the labels' folders that are ours, and those that image-folder loaders take for ours.
TAKEN = frozenset({UNLABELLED, METADATA, "metadata.csv", "metadata.jsonl"})

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f/\\<>:"|?*\ud800-\udfff\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)")
# Hugging Face `datasets` takes these words in a folder's name for splits of the dataset.
_SPLITS = re.compile(
    r"(?:(?<=[-._ 0-9])|^)(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?=[-._ 0-9]|$)"
)
_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # halves of characters that stand for no byte either
_DIGESTED = re.compile(rf"-[0-9a-f]{{{DIGEST}}}$")


def plain(text: str) -> str:
    """Text that UTF-8 can hold, composed (NFC): bytes of a file name that are no text become `\\xff`."""
    held = _HALVES.sub("\ufffd", text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", held)


def folder_of(label: str) -> str:
    """The folder that holds a label's files: the label itself where it is a safe name, else a safe one of its own.

    A label that had to change gets eight digits of its sha256, so that two labels never share a folder.

    >>> folder_of("Ada Lovelace"), folder_of("")
    ('Ada Lovelace', 'unlabelled')
    >>> folder_of("../etc")
    '_etc-f7f9121f'
    """
    label = plain(label)
    if not label:
        return UNLABELLED
    safe = safe_name(label)
    if safe == label and safe.casefold() not in TAKEN and not _DIGESTED.search(safe):
        return safe
    digest = hashlib.sha256(label.encode()).hexdigest()[:DIGEST]
    return f"{_cut(safe, LONGEST - DIGEST - 1)}-{digest}"


def safe_name(text: str) -> str:
    """One path component of at most 100 bytes without separators, control characters or reserved words."""
    safe = _FORBIDDEN.sub("_", plain(text)).lstrip(". ")
    safe = _RESERVED.sub(r"\1_", safe, count=1) if _RESERVED.match(safe) else safe
    safe = _SPLITS.sub(lambda word: word[0].capitalize(), safe)
    return _cut(safe, LONGEST) or "_"


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore").rstrip(". ")
