"""The errors for a file of a dataset that is missing or damaged."""

from __future__ import annotations

from pathlib import Path

from facesieve.errors import DatasetError


def missing_file(path: Path) -> DatasetError:
    """The error for a file that every finished dataset has."""
    return DatasetError("not_a_dataset", f"{path} is missing, so this is not a finished dataset.")


def damaged_file(path: Path, detail: str = "") -> DatasetError:
    """The error for a file whose content is not what was written. detail: what is wrong with it."""
    return DatasetError(
        "damaged_dataset",
        f"{path} is damaged{f': {detail}' if detail else ''}. "
        "Run `facesieve check DATASET --repair` to repair what can be repaired.",
    )
