"""CITATION.cff says what pyproject.toml says, with the keys that version 1.2.0 of its schema requires and knows."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import yaml

import facesieve

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = {"cff-version", "message", "title", "authors"}
KNOWN = REQUIRED | {"type", "abstract", "version", "date-released", "license", "keywords", "doi", "url"}


def citation() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_it_has_the_keys_that_its_schema_requires_and_no_unknown_one() -> None:
    found = citation()
    assert REQUIRED <= found.keys() <= KNOWN
    assert found["cff-version"] == "1.2.0" and found["type"] == "software"
    assert all(isinstance(value, str) and value for key, value in found.items() if key not in ("authors", "keywords"))
    assert len(found["keywords"]) == len(set(found["keywords"])) > 0


def test_it_says_what_the_package_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = citation()
    assert found["title"].lower() == project["name"]
    assert found["abstract"] == project["description"]
    assert found["authors"] == project["authors"]
    assert project["license"].split(" AND ")[0] == found["license"]
    assert found["keywords"] == project["keywords"]
    assert found["version"] == facesieve.__version__


def test_the_licence_of_the_package_names_those_of_the_scripts_in_it() -> None:
    """D3 and Observable Plot are in the package, with what they contain."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    held = "".join((ROOT / name).read_text(encoding="utf-8") for name in project["license-files"])
    phrases = {
        "Apache-2.0": "Apache License",
        "BSD-3-Clause": "Redistribution and use in source and binary forms",
        "ISC": "THE AUTHOR DISCLAIMS ALL WARRANTIES WITH",
        "MIT": "Permission is hereby granted, free of charge",
    }
    assert project["license"].split(" AND ") == [name for name, phrase in phrases.items() if phrase in held]
