from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from facesieve.dataset.about import About, about_json, read_about, read_made, write_made
from facesieve.dataset.disk.checksums import checksum_of_file
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.counts import Counts
from facesieve.errors import DatasetError
from handmade import build_spec

COUNTS = Counts(3, 2, 1, {"empty": 1}, 2, 1, 1, {"blurred": 1})


@pytest.fixture
def origin() -> Origin:
    return build_spec(Outputs(True, ("head",), False)).origin()


@pytest.fixture
def good(origin: Origin) -> dict[str, Any]:
    return about_json(origin, COUNTS)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def told(layout: Layout, values: object) -> str:
    """The error message for a file with these values."""
    layout.about.write_text(values if isinstance(values, str) else json.dumps(values))
    with pytest.raises(DatasetError) as caught:
        read_about(layout)
    assert caught.value.code == "damaged_dataset" and "\n" not in caught.value.message
    return caught.value.message


def test_a_written_file_is_read_back(layout: Layout, good: dict[str, Any], origin: Origin) -> None:
    layout.about.write_text(json.dumps(good))
    assert read_about(layout, frozenset([checksum_of_file(layout.about)])) == About(origin, COUNTS)
    assert origin.options.outputs == Outputs(True, ("head",), False)
    write_made(origin, layout)
    assert read_made(layout) == origin
    assert json.loads(layout.made.read_text()) == {key: good[key] for key in good if key != "counts"}
    assert next(iter(good)) == "format" and good["format"] == 1


def test_an_origin_is_frozen(origin: Origin) -> None:
    with pytest.raises(ValueError, match="frozen"):
        origin.measures = ()  # type: ignore[misc]


@pytest.mark.parametrize("key", ["versions", "settings", "policy", "models", "measures", "options", "limits", "counts"])
def test_the_error_names_a_key_that_is_missing_or_has_the_wrong_type(
    layout: Layout, good: dict[str, Any], key: str
) -> None:
    without = {name: value for name, value in good.items() if name != key}
    assert f"'{key}' is missing" in told(layout, without)
    for wrong in (None, 3, "text", [[1]], {"a": [{}]}, True):
        assert f"'{key}'" in told(layout, good | {key: wrong}), wrong


def test_the_error_names_an_unknown_key(layout: Layout, good: dict[str, Any]) -> None:
    assert "'engine' is unknown" in told(layout, good | {"engine": 3})
    assert "'counts'" in told(layout, good | {"counts": good["counts"] | {"clips": 1}})
    assert "'options' has a wrong value" in told(layout, good | {"options": good["options"] | {"colour": True}})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"keep_rejected": "yes", "crops": [], "marked": False, "label_from": "none"},
        {"keep_rejected": True, "crops": ["ear"], "marked": False, "label_from": "none"},
        {"keep_rejected": True, "crops": "face", "marked": False, "label_from": "none"},
        {"keep_rejected": True, "crops": [], "marked": False, "label_from": 3},
    ],
)
def test_options_that_no_build_writes_are_damage(layout: Layout, good: dict[str, Any], options: dict[str, Any]) -> None:
    assert "'options' has a wrong value" in told(layout, good | {"options": options})


@pytest.mark.parametrize("measures", [["blur", "blur"], ["kept"], ["picture_id"], ["box_x"]])
def test_measures_that_cannot_be_columns_are_damage(layout: Layout, good: dict[str, Any], measures: list[str]) -> None:
    assert "'measures'" in told(layout, good | {"measures": measures})


@pytest.mark.parametrize(
    "text",
    ["", "[1", "3", "null", '[["settings", 1]]', "[" * 100_000, '{"a":' * 100_000, '"\ud800"', "{}x", "1" * 10_000],
)
def test_a_file_that_is_not_a_json_object_is_damaged(layout: Layout, text: str) -> None:
    layout.about.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DatasetError, match="is damaged"):
        read_about(layout)


@pytest.mark.parametrize("where", ["versions", "settings", "models", "measures", "limits", "\ud800"])
def test_an_unpaired_surrogate_is_damage(layout: Layout, good: dict[str, Any], where: str) -> None:
    half = "\ud800"
    wrong = {"measures": [half], "versions": {half: ["1"]}, "settings": {half: half}, "models": {"a": half}}
    assert "is damaged" in told(layout, good | {where: wrong.get(where, {half: 1})})


def test_a_file_that_does_not_match_its_checksum_is_damaged(layout: Layout, good: dict[str, Any]) -> None:
    layout.about.write_text(json.dumps(good))
    known = frozenset([checksum_of_file(layout.about)])
    layout.about.write_text(json.dumps(good).replace('"min_face_size": 20', '"min_face_size": 21'))
    assert read_about(layout).origin.settings["min_face_size"] == 21
    with pytest.raises(DatasetError, match="is damaged"):
        read_about(layout, known)
