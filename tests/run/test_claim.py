from __future__ import annotations

from pathlib import Path

import pytest

from facesieve.dataset.disk.layout import Layout
from facesieve.errors import DatasetError
from facesieve.run.claim import check_writable, claim
from handmade import build_spec


def code_of(root: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        check_writable(root)
    return caught.value.code


def test_a_new_and_an_empty_folder_may_be_built_in_and_stay_untouched(tmp_path: Path) -> None:
    check_writable(tmp_path / "new")
    check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_and_a_dangling_link_are_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert code_of(tmp_path / "file") == "not_a_folder"
    assert code_of(tmp_path / "link") == "not_a_folder"
    assert code_of(tmp_path / "file" / "below") == "not_a_folder"


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(DatasetError, match=r"has other files in it, such as 'thesis\.doc'") as caught:
        check_writable(tmp_path)
    assert caught.value.code == "not_a_dataset"
    with pytest.raises(DatasetError), claim(Layout(tmp_path), build_spec().origin()):
        raise AssertionError("never claimed")
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_dataset_without_its_ledger_cannot_be_added_to(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text("{}")
    assert code_of(tmp_path) == "not_continuable"


def test_a_claim_is_exclusive_and_ends(tmp_path: Path) -> None:
    origin = build_spec().origin()
    with claim(Layout(tmp_path / "out"), origin):
        with pytest.raises(DatasetError) as caught, claim(Layout(tmp_path / "out"), origin):
            raise AssertionError("claimed twice")
        assert caught.value.code == "in_use"
    with claim(Layout(tmp_path / "out"), origin):
        pass


def test_other_versions_are_welcome_and_remembered(tmp_path: Path) -> None:
    from facesieve.dataset.disk.json_file import read_json

    layout = Layout(tmp_path / "out")
    for version in ("4.11", "5.0", "4.11"):
        with claim(layout, build_spec().origin().model_copy(update={"versions": {"opencv": (version,)}})):
            pass
    assert read_json(layout.made)["versions"] == {"opencv": ["4.11", "5.0"]}


def test_a_damaged_memory_is_one_sentence(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.hidden.mkdir()
    for damage in ("", "[1", "3"):
        layout.made.write_text(damage)
        with pytest.raises(DatasetError, match="damaged"), claim(layout, build_spec().origin()):
            raise AssertionError("claimed")


@pytest.mark.parametrize(
    "names",
    [
        [".DS_Store"],
        ["Thumbs.db"],
        ["desktop.ini"],
        [".gitkeep"],
        ["lost+found/"],
        ["System Volume Information/", "$RECYCLE.BIN/"],
        ["@eaDir/", ".DS_Store", "Desktop.ini"],
    ],
)
def test_what_desktops_and_file_systems_leave_in_an_empty_folder_is_no_hindrance(
    tmp_path: Path, names: list[str]
) -> None:
    for name in names:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    with claim(Layout(tmp_path), build_spec().origin()):
        pass
    assert {entry.name for entry in tmp_path.iterdir()} == {".facesieve", *(name.rstrip("/") for name in names)}


def test_the_file_in_the_way_is_named_whatever_lies_beside_it(tmp_path: Path) -> None:
    for name in (".DS_Store", "zebra.jpg", "Thumbs.db"):
        (tmp_path / name).touch()
    with pytest.raises(DatasetError, match=r"such as 'zebra\.jpg'"):
        check_writable(tmp_path)


def test_what_is_remembered_without_keys_is_one_sentence(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with claim(layout, build_spec().origin()):
        pass
    for text in ('{"format": 1, "settings": {}}', '{"format": 1}', '{"format": 1, "versions": 3}', "[]"):
        layout.made.write_text(text)
        with pytest.raises(DatasetError, match="damaged") as caught, claim(layout, build_spec().origin()):
            raise AssertionError("claimed")
        assert caught.value.code == "damaged_dataset"
