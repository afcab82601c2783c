"""Inside the dataset: `disk` knows no tables, and `tables` does not know how a dataset is opened."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import facesieve

PACKAGE = Path(facesieve.__file__).parent
MIDDLE = {"sources", "decode", "models", "detect", "align", "pose", "quality", "sieve", "draw", "dataset"}


def imports_in(folder: Path) -> set[str]:
    """The modules of the package that the files of a folder import, without the name of the package."""
    found = set[str]()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("facesieve."):
                found.add((node.module or "").removeprefix("facesieve."))
    return found


@pytest.mark.parametrize("room", ["draw", "dataset"])
def test_drawing_and_the_dataset_import_no_other_middle_room(room: str) -> None:
    imported = {module.partition(".")[0] for module in imports_in(PACKAGE / room)}
    assert imported
    assert imported & MIDDLE <= {room}


def test_disk_imports_only_disk() -> None:
    inside = {module for module in imports_in(PACKAGE / "dataset" / "disk") if module.startswith("dataset")}
    assert inside
    assert all(module.startswith("dataset.disk.") for module in inside)


def test_tables_import_only_tables_and_disk() -> None:
    inside = {module for module in imports_in(PACKAGE / "dataset" / "tables") if module.startswith("dataset")}
    assert inside
    assert all(module.startswith(("dataset.disk.", "dataset.tables.")) for module in inside)
