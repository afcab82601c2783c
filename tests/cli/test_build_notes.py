"""What a build says of the same bytes under two labels, changed labels, moved photos and edited lists."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, astronaut: Path, hopper: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `photos` of Eileen and Grace."""
    monkeypatch.chdir(tmp_path)
    for photo, name in ((astronaut, "photos/Eileen/1.png"), (hopper, "photos/Grace/2.jpg")):
        Path(name).parent.mkdir(parents=True)
        shutil.copy(photo, name)
    return tmp_path


def rows_of(dataset: str, manifest: str = "pictures") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(f"{dataset}/{manifest}.parquet").to_pylist()
    return rows


def sources(dataset: str) -> list[str]:
    return [row["source"] for row in rows_of(dataset)]


def test_the_same_bytes_under_two_labels_are_told_and_explain_shows_both(run: Run, here: Path) -> None:
    shutil.copy("photos/Grace/2.jpg", "photos/Eileen/also.jpg")
    status, _, err = run("build", "photos", "-o", "out", "--label-from", "folder", "-q")
    assert (status, err) == (
        0,
        "note: 1 picture is under several labels, as the same bytes lie at several paths; each face is kept under each "
        "label (pictures.parquet: picture_id that occurs under two labels)\n",
    )
    faces = [row for row in rows_of("out", "faces") if row["source"] != "photos/Eileen/1.png"]
    (face_id,) = {row["face_id"] for row in faces}
    out = run("explain", "out", face_id)[1]
    assert "photos/Eileen/also.jpg   label Eileen\n" in out and "photos/Grace/2.jpg   label Grace\n" in out
    assert f"kept/Eileen/{face_id}.png" in out and f"kept/Grace/{face_id}.png" in out
    plain = json.loads(run("explain", "out", face_id, "--json")[1])
    assert (plain["face"]["label"], [row["label"] for row in plain["also"]]) == ("Eileen", ["Grace"])
    command = ("build", "photos", "-o", "out", "--label-from", "folder", "--json")
    assert json.loads(run(*command)[1])["pictures_under_several_labels"] == 1


def test_labels_that_a_new_folder_changes_are_told(run: Run, here: Path) -> None:
    build = ("build", "photos/Grace", "-o", "out", "--label-from", "folder", "-q")
    assert run(*build)[2] == ""
    shutil.copytree("photos/Eileen", "photos/Grace/x")
    _, _, err = run(*build)
    assert "note: 1 picture changed its label from 'Grace' to none\n" in err
    assert run(*build)[2].count("changed") == 0
    shutil.rmtree("photos/Grace/x")
    found = json.loads(run(*build, "--json")[1])["changed_labels"]
    assert found == [{"from": "", "to": "Grace", "pictures": 1}]
