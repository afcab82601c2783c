"""What the command line says about the sources it was given."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photos(tmp_path: Path, astronaut: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("photos/anna/1.png", "photos/@eaDir/1.png", "photos/.hidden.png", "store/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(astronaut, tmp_path / name)
    (tmp_path / "photos" / "notes.txt").write_text("mine")
    return tmp_path / "photos"


def labels(dataset: str) -> dict[str, str]:
    return {row["source"]: row["label"] for row in pq.read_table(f"{dataset}/pictures.parquet").to_pylist()}


LINE = (
    "left out: 1 dataset made by FaceSieve, 1 trash or system folder, 1 hidden file or folder"
    " (--include-hidden takes them), 1 file of text or data\n"
)


def test_what_is_left_out_is_one_line_on_stderr_and_in_the_json(run: Run, photos: Path) -> None:
    run("build", "photos", "-o", "photos/first", "-q")
    status, out, err = run("build", "photos", "-o", "second", "-q", "--label-from", "folder")
    assert (status, err) == (0, LINE)
    assert out.startswith("pictures: 1 = 1 read")
    assert json.loads(run("build", "photos", "-o", "third", "--json")[1])["left_out"] == {
        "datasets": 1,
        "system_folders": 1,
        "hidden": 1,
        "other_files": 1,
        "archives": 0,
    }


def test_hidden_pictures_and_links_are_taken_on_request(run: Run, photos: Path) -> None:
    (photos / "ben").symlink_to(photos.parent / "store")
    run("build", "photos", "-o", "all", "-q", "--include-hidden", "--follow-links", "--label-from", "folder")
    assert labels("all") == {
        "photos/.hidden.png": "",
        "photos/@eaDir/1.png": "@eaDir",
        "photos/anna/1.png": "anna",
        "photos/ben/2.png": "ben",
    }


def test_labels_come_from_the_top_folder_on_request(run: Run, photos: Path) -> None:
    shutil.move(photos / "anna" / "1.png", photos / "anna.png")
    (photos / "anna" / "2024").mkdir()
    shutil.move(photos / "anna.png", photos / "anna" / "2024" / "1.png")
    run("build", "photos", "-o", "top", "-q", "--label-from", "top-folder")
    assert labels("top") == {"photos/anna/2024/1.png": "anna"}
    assert json.loads(Path("top/dataset.json").read_text())["options"]["label_from"] == "top-folder"


def test_encodings_and_columns_are_chosen(run: Run, photos: Path) -> None:
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.write(photos / "anna" / "1.png", "XXXX/1.png")
    data = Path("a.zip").read_bytes().replace(b"XXXX", "山田".encode("gbk"))
    Path("a.zip").write_bytes(data)
    Path("l.csv").write_text("where,who,age\nphotos/anna/1.png,Anna,3\n")
    chosen = ("--archive-encoding", "gbk", "--path-column", "where", "--label-column", "who")
    _, _, err = run("build", "a.zip", "l.csv", "-o", "out", "-q", "--label-from", "folder", *chosen)
    assert labels("out") == {"a.zip!山田/1.png": "山田", "photos/anna/1.png": "Anna"}
    assert err.startswith("l.csv: columns not used: age\n")


def test_text_in_another_encoding_is_told_in_the_summary_and_read_on_request(run: Run, photos: Path) -> None:
    Path("l.csv").write_bytes("path,label\nphotos/anna/1.png,André\n".encode("cp1252"))
    told = "l.csv: some rows are not UTF-8; --list-encoding chooses an encoding, such as cp1252, gbk or shift_jis"
    _, out, err = run("build", "l.csv", "-o", "told", "-q", "--json")
    assert told in err.splitlines()
    assert json.loads(out)["notes"] == [told]
    _, _, err = run("build", "l.csv", "-o", "right", "-q", "--list-encoding", "cp1252")
    assert labels("right") == {"photos/anna/1.png": "André"}
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["photos", "--archive-encoding", "klingon"], "bad_encoding"),
        (["photos", "--list-encoding", "klingon"], "bad_encoding"),
        (["photos/anna/1.png", "--label-from", "top-folder"], "no_top_folder"),
        (["photos", "--label-from", "z"], "bad_label_from"),
        (["photos", "--label-from", "name:(?P<label>"], "bad_label_pattern"),
        (["store/two.csv"], "two_labels"),
        (["store/open.csv"], "bad_list"),
        (["first"], "empty_source"),
    ],
)
def test_what_is_off_with_sources_is_one_sentence_and_nothing_written(
    run: Run, photos: Path, arguments: list[str], code: str
) -> None:
    (photos.parent / "first" / ".facesieve").mkdir(parents=True)
    (photos.parent / "store" / "two.csv").write_text("path,label\n2.png,Anna\n2.png,Ben\n")
    (photos.parent / "store" / "open.csv").write_text('path,label\n"2.png,Anna\n')
    status, out, err = run("build", *arguments, "-o", "out")
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith("error: ") and err.endswith(f"[{code}]\n")
    assert not Path("out").exists()
