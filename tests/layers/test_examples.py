"""Examples in docstrings run, and say what they show."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import facesieve

PACKAGE = Path(facesieve.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(("facesieve", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def test_the_pipeline_is_shown_by_an_example() -> None:
    assert "facesieve.pipeline" in WITH_EXAMPLES


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_hold(name: str) -> None:
    failed, tried = doctest.testmod(import_module(name))
    assert tried > 0 and failed == 0
