"""Test files stand alone: what several of them need lies in plain modules beside them."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports, wherever in the file the import stands."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            modules |= {node.module or "."} | {f"{node.module or '.'}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return modules


def is_test_file(module: str) -> bool:
    return any(part == "conftest" or part.startswith("test_") for part in module.split("."))


def test_no_file_imports_from_a_test_file_or_a_conftest() -> None:
    found = {
        f"{path.relative_to(TESTS)} imports {module}"
        for path in TESTS.rglob("*.py")
        for module in imported(path)
        if is_test_file(module) and not module.startswith("facesieve.")
    }
    assert sorted(found) == []


def test_such_an_import_would_be_found_in_any_form(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    for line in ("import conftest", "from test_limits import head_of", "from tests.service.conftest import Running"):
        file.write_text(f"def late():\n    {line}\n")
        assert any(map(is_test_file, imported(file))), line
