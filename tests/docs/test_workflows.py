"""The workflow files name systems, versions and extras that exist; `.ci/run` holds them to their schema."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def jobs(name: str) -> dict[str, Any]:
    found = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))["jobs"]
    assert isinstance(found, dict)
    return found


def test_tests_run_on_three_systems_and_three_versions() -> None:
    matrix = jobs("tests.yml")["tests"]["strategy"]["matrix"]
    assert matrix["system"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]


def test_wheels_are_built_on_machines_of_every_architecture_that_the_package_names() -> None:
    systems = jobs("wheels.yml")["wheels"]["strategy"]["matrix"]["system"]
    assert systems == ["ubuntu-latest", "ubuntu-24.04-arm", "macos-15-intel", "macos-latest", "windows-latest"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_says_that_it_was_not_run_may_only_read_and_names_extras_that_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "not run where it was written" in text.splitlines()[0]
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    extras = {extra for group in re.findall(r'"\.\[([\w,]+)\]"', text) for extra in group.split(",")}
    assert extras <= EXTRAS.keys()


def test_there_are_two_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["tests.yml", "wheels.yml"]
