"""The classes of an export: a number, a name and a folder for each label."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence

from facesieve.dataset.disk.names import DIGEST_DIGITS, UNLABELLED, label_folder

_NOT_A_WORD = re.compile(r"[^\w-]+")


def folders(labels: Sequence[str], plain: bool = False) -> list[str]:
    """A folder name for each label, in order. Names differ also where upper and lower case count as the same.

    plain: only letters, digits, `-` and `_`, for formats that separate names by spaces.
    """
    names = [_plain(label) if plain else label_folder(label) for label in labels]
    for digits in (DIGEST_DIGITS, 4 * DIGEST_DIGITS):  # of 100,000 labels, two may have the same few digits
        times = Counter(name.casefold() for name in names)
        names = [
            name if times[name.casefold()] == 1 else f"{name}-{_digest(label, digits)}"
            for name, label in zip(names, labels, strict=True)
        ]
    return names


def class_names(labels: Sequence[str]) -> list[str]:
    """A name for each label, for people and for the metadata of formats."""
    names = [label or UNLABELLED for label in labels]
    return [
        f"{name} (label)" if name == UNLABELLED and label else name for name, label in zip(names, labels, strict=True)
    ]


def labels_in_order(first: Sequence[str], others: Sequence[str], folder: Callable[[str], str]) -> list[str]:
    """The labels of the first split by the names of their folders, then the others.

    Loaders number the folders of a split from 0 in this order, so the classes of the first split have these numbers.
    """
    rest = set(others) - set(first)
    return [*sorted(set(first), key=folder), *sorted(rest, key=folder)]


def _plain(label: str) -> str:
    name = label_folder(label)
    plain = _NOT_A_WORD.sub("_", name).strip("_") or "_"
    return plain if plain == name else f"{plain}-{_digest(label)}"


def _digest(label: str, digits: int = DIGEST_DIGITS) -> str:
    return hashlib.sha256(label.encode()).hexdigest()[:digits]
