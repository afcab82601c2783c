from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from facesieve.dataset.about import outputs_of, read_about
from facesieve.dataset.files import Outputs
from facesieve.dataset.sums import sum_of_file
from facesieve.errors import DatasetError
from handmade import making


@pytest.fixture
def good() -> dict[str, Any]:
    return making(Outputs(True, ("head",), False)).origin()


def told(path: Path, values: object) -> str:
    """The sentence about a file that holds these values."""
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    with pytest.raises(DatasetError) as caught:
        read_about(path)
    assert caught.value.code == "damaged_dataset" and "\n" not in caught.value.message
    return caught.value.message


def test_what_was_written_is_read(tmp_path: Path, good: dict[str, Any]) -> None:
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps(good | {"counts": {}}))
    assert read_about(path, frozenset([sum_of_file(path)])) == json.loads(json.dumps(good | {"counts": {}}))
    assert outputs_of(read_about(path)) == Outputs(True, ("head",), False)


@pytest.mark.parametrize("key", ["versions", "settings", "policy", "models", "measures", "options"])
def test_a_key_that_is_missing_or_of_another_type_is_named(tmp_path: Path, good: dict[str, Any], key: str) -> None:
    path = tmp_path / "made.json"
    without = {name: value for name, value in good.items() if name != key}
    assert f"'{key}' is missing" in told(path, without)
    for wrong in (None, 3, "text", [[1]], {"a": [{}]} if key in ("versions", "models") else True):
        assert f"'{key}' has a wrong value" in told(path, good | {key: wrong}), wrong


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"keep_rejected": "yes", "crops": [], "marked": False},
        {"keep_rejected": True, "crops": ["ear"], "marked": False},
        {"keep_rejected": True, "crops": "face", "marked": False},
    ],
)
def test_options_that_no_build_writes_are_told(tmp_path: Path, good: dict[str, Any], options: dict[str, Any]) -> None:
    assert "'options' has a wrong value" in told(tmp_path / "dataset.json", good | {"options": options})


def test_a_measure_listed_twice_is_told(tmp_path: Path, good: dict[str, Any]) -> None:
    assert "'measures'" in told(tmp_path / "dataset.json", good | {"measures": ["blur", "blur"]})


@pytest.mark.parametrize("text", ["", "[1", "3", "null", '[["settings", 1]]', "[" * 100_000, '"\ud800"', "{}x"])
def test_what_is_no_json_object_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dataset.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DatasetError, match="is damaged"):
        read_about(path)


def test_a_file_that_does_not_fit_its_sum_is_told(tmp_path: Path, good: dict[str, Any]) -> None:
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps(good))
    known = frozenset([sum_of_file(path)])
    path.write_text(json.dumps(good).replace('"min_face_size": 20', '"min_face_size": 21'))
    assert read_about(path)["settings"]["min_face_size"] == 21
    with pytest.raises(DatasetError, match="is damaged"):
        read_about(path, known)
