"""The house has one direction of flow: no room imports a room to its right."""

from __future__ import annotations

import ast
from pathlib import Path

import facesieve

PACKAGE = Path(facesieve.__file__).parent
ROOMS = [
    "version records errors settings native small_file stop streams processes",
    "sources decode models detect align pose quality sieve draw dataset",
    "pipeline",
    "run service worker report demo",
    "cli",
]
FLOOR = {room: floor for floor, line in enumerate(ROOMS) for room in line.split()}
EXEMPT = {"__init__", "__main__"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a file imports, wherever in the file the import stands."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute in this house"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("facesieve.")}
    return rooms


def test_every_room_of_the_package_is_on_the_plan() -> None:
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py")} - EXEMPT
    assert rooms <= set(FLOOR), f"not on the plan: {sorted(rooms - set(FLOOR))}"


def test_nothing_imports_a_room_to_its_right() -> None:
    against = [
        f"{path.relative_to(PACKAGE)} imports {room}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if room_of(path) not in EXEMPT
        for room in sorted(imported_rooms(path) & set(FLOOR))
        if FLOOR[room] > FLOOR[room_of(path)]
    ]
    assert against == []


def test_the_plan_would_catch_an_arrow_against_the_house(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def late():\n    from facesieve.pipeline import Pipeline\n")
    assert imported_rooms(wrong) == {"pipeline"}
    assert FLOOR["pipeline"] > FLOOR["detect"]
