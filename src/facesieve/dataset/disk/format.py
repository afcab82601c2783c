"""The format number of a dataset. It is in `dataset.json`, in the build's `made.json`, and in every ledger part."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from facesieve.dataset.disk.own_file import damaged_file
from facesieve.errors import DatasetError

FORMAT = 1
OTHER_FORMAT = ("older_format", "newer_format")  # error codes of `check_format`
_KEY = b"format"  # in the schema metadata of a part
_EMBEDDED = b"embedded_with"  # in the schema metadata of a part: sha256 of the model that computed its embeddings


def check_format(found: object, path: Path, root: Path) -> None:
    """Raise DatasetError unless `found` is the format number that this version reads.

    found: what the file `path` of the dataset `root` says; None if it has no number.
    """
    if found is None:
        raise DatasetError(
            "older_format",
            f"{root} was written by an earlier version. Run `facesieve upgrade {root}` to use it.",
        )
    if type(found) is not int or found < 1:
        raise damaged_file(path)
    if found != FORMAT:
        raise DatasetError(
            "newer_format",
            f"{root} has format {found}, but this version of FaceSieve reads format {FORMAT}. Install a newer version.",
        )


def with_format(part: pa.Table) -> pa.Table:
    """A ledger part with the format number in its metadata, and with the model of its embeddings, if it has any."""
    model = embedded_with(part)
    return part.replace_schema_metadata({_KEY: str(FORMAT)} | ({_EMBEDDED: model} if model else {}))


def with_embedded(part: pa.Table, model: str) -> pa.Table:
    """A ledger part whose metadata names the model of its embeddings by its sha256, or "" for none."""
    return part.replace_schema_metadata({**(part.schema.metadata or {}), _EMBEDDED: model})


def embedded_with(part: pa.Table) -> str:
    """Sha256 of the model that computed the embeddings in a ledger part; "" if it has none."""
    return str((part.schema.metadata or {}).get(_EMBEDDED, b"").decode("ascii", "replace"))


def format_of(part: pa.Table) -> object:
    """The format number in a ledger part; None if there is none, bytes if it is not a number."""
    text = (part.schema.metadata or {}).get(_KEY)
    return int(text) if text is not None and text.isdigit() else text
