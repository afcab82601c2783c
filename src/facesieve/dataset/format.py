"""The format of a dataset: one number, in `dataset.json`, in the build's `made.json` and every part of the ledger."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from facesieve.dataset.tables import damaged
from facesieve.errors import DatasetError

FORMAT = 1
OTHER_FORMAT = ("older_format", "newer_format")  # codes of the errors of `check_format`
_KEY = b"format"  # in the metadata of a part's schema


def check_format(found: object, path: Path, root: Path) -> None:
    """Raise DatasetError unless a file of the dataset `root` has the format of this version. None is no number."""
    if found is None:
        raise DatasetError(
            "older_format",
            f"{root} was written by an earlier version; run `facesieve upgrade {root}` to use it.",
        )
    if type(found) is not int or found < 1:
        raise damaged(path)
    if found != FORMAT:
        raise DatasetError(
            "newer_format",
            f"{root} has format {found}, and this version of FaceSieve reads format {FORMAT}; install a newer version.",
        )


def with_format(part: pa.Table) -> pa.Table:
    """A part of the ledger that carries the format's number."""
    return part.replace_schema_metadata({_KEY: str(FORMAT)})


def format_of(part: pa.Table) -> object:
    """What a part of the ledger has as its format; None where it has nothing."""
    text = (part.schema.metadata or {}).get(_KEY)
    return int(text) if text is not None and text.isdigit() else text
