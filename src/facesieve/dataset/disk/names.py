"""Labels and source names as names of folders and files that every file system and every loader accepts."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

UNLABELLED = "unlabelled"
METADATA = "metadata.parquet"
MAX_NAME_BYTES = 100
DIGEST_DIGITS = 8  # hex digits, so that two labels that were changed never share a folder
# Names beside the folders of the labels: those that FaceSieve writes, and those that image-folder loaders look for.
RESERVED = frozenset({UNLABELLED, METADATA, "metadata.csv", "metadata.jsonl"})

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f/\\<>:"|?*\ud800-\udfff\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]')
_DEVICE_NAMES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)")
# Hugging Face `datasets` takes these words in a folder's name for splits of the dataset.
_SPLITS = re.compile(
    r"(?:(?<=[-._ 0-9])|^)(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?=[-._ 0-9]|$)"
)
_UNPAIRED = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # surrogates that do not stand for a byte of a file name
_DIGESTED = re.compile(rf"-[0-9a-f]{{{DIGEST_DIGITS}}}$")


def normalized_text(text: str) -> str:
    r"""Text that can be stored as UTF-8, in Unicode form NFC. A file name byte that is not UTF-8 becomes `\xff`."""
    held = _UNPAIRED.sub("\ufffd", text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", held)


def label_folder(label: str) -> str:
    """The name of the folder that holds the files of a label: the label itself if it is a safe name.

    A label that is not safe is changed and gets eight digits of its sha256, so that two labels never share a folder.

    >>> label_folder("Ada Lovelace"), label_folder("")
    ('Ada Lovelace', 'unlabelled')
    >>> label_folder("../etc")
    '_etc-f7f9121f'
    """
    label = normalized_text(label)
    if not label:
        return UNLABELLED
    safe = safe_name(label)
    if safe == label and safe.casefold() not in RESERVED and not _DIGESTED.search(safe):
        return safe
    digest = hashlib.sha256(label.encode()).hexdigest()[:DIGEST_DIGITS]
    return f"{_truncated(safe, MAX_NAME_BYTES - DIGEST_DIGITS - 1)}-{digest}"


def safe_name(text: str) -> str:
    """One path component of at most 100 bytes, without separators, control characters or reserved words."""
    safe = _FORBIDDEN.sub("_", normalized_text(text)).lstrip(". ")
    safe = _DEVICE_NAMES.sub(r"\1_", safe, count=1) if _DEVICE_NAMES.match(safe) else safe
    safe = _SPLITS.sub(lambda word: word[0].capitalize(), safe)
    return _truncated(safe, MAX_NAME_BYTES) or "_"


def shortened_list(names: Sequence[str]) -> str:
    """The number of names and the first three of them, for a message.

    >>> shortened_list(["a", "b", "c", "d", "e"])
    '5 files (a, b, c, ...)'
    """
    return f"{len(names)} file{'s' * (len(names) > 1)} ({', '.join([*names[:3], '...'][: len(names)])})"


def _truncated(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore").rstrip(". ")
