"""The house has one direction of flow: no room imports a room to its right, and the middle rooms keep apart."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import facesieve

PACKAGE = Path(facesieve.__file__).parent

# From left to right. Rooms that are only planned have a place already.
PLAN = """
version codes records errors regular_file small_file layered settings native processes stop streams buckets
sources decode models detect align pose identity quality relate sieve draw dataset
texts tracking pipeline report run demo fit export review service queue cli __main__
"""
HOUSE = PLAN.split()
MIDDLE = PLAN.splitlines()[2].split()

# The middle rooms do not import each other, except for these.
ALLOWED = {("detect", "models"), ("pose", "models"), ("identity", "models"), ("sieve", "quality")}


def files() -> list[Path]:
    """Every file of the package but the list of its public names, which imports them from all rooms."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a file imports, wherever in the file the import stands. `facesieve` is the package itself."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute in this house"
            names = [str(node.module)] if node.module != "facesieve" else [f"facesieve.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        rooms |= {[*name.split("."), name][1] for name in names if name.split(".")[0] == "facesieve"}
    return rooms


def fault(room: str, imported: str) -> str | None:
    """What is wrong when one room imports another; None when nothing is."""
    if imported == room:
        return None
    if imported == "_native":
        return None if room == "native" else "only native.py imports the compiled extension"
    if imported not in HOUSE:
        return "it is not on the plan"
    if room in MIDDLE and imported in MIDDLE:
        return None if (room, imported) in ALLOWED else "these middle rooms keep apart"
    return "it is to the right" if HOUSE.index(imported) > HOUSE.index(room) else None


def test_every_room_of_the_package_is_on_the_plan() -> None:
    rooms = {room_of(path) for path in files()}
    assert rooms <= set(HOUSE), f"not on the plan: {sorted(rooms - set(HOUSE))}"


def test_every_import_follows_the_plan() -> None:
    against = [
        f"{path.relative_to(PACKAGE)} imports {room}: {wrong}"
        for path in files()
        for room in sorted(imported_rooms(path))
        if (wrong := fault(room_of(path), room))
    ]
    assert against == []


@pytest.mark.parametrize(
    "form", ["from facesieve.{}.part import name", "from facesieve import {}", "import facesieve.{}"]
)
@pytest.mark.parametrize(
    ("room", "imported", "wrong"),
    [
        ("detect", "pipeline", "it is to the right"),
        ("run", "service", "it is to the right"),
        ("errors", "settings", "it is to the right"),
        ("detect", "pose", "these middle rooms keep apart"),
        ("quality", "sieve", "these middle rooms keep apart"),
        ("dataset", "sources", "these middle rooms keep apart"),
        ("models", "detect", "these middle rooms keep apart"),
        ("pose", "_native", "only native.py imports the compiled extension"),
        ("cli", "utils", "it is not on the plan"),
        ("detect", "models", None),
        ("sieve", "quality", None),
        ("run", "dataset", None),
        ("native", "_native", None),
        ("cli", "cli", None),
    ],
)
def test_the_plan_catches_an_import_against_it_and_no_other(
    room: str, imported: str, wrong: str | None, form: str, tmp_path: Path
) -> None:
    file = tmp_path / "late.py"
    file.write_text(f"def late():\n    {form.format(imported)}\n")
    assert imported_rooms(file) == {imported}
    assert fault(room, imported) == wrong


def test_a_file_that_imports_the_whole_package_is_caught(tmp_path: Path) -> None:
    file = tmp_path / "whole.py"
    file.write_text("import facesieve\n")
    [package] = imported_rooms(file)
    assert fault("cli", package) == "it is not on the plan"


def test_the_imports_that_are_allowed_between_middle_rooms_are_used_or_planned() -> None:
    used = {(room_of(path), room) for path in files() for room in imported_rooms(path)}
    assert ALLOWED - used <= {("identity", "models")}
