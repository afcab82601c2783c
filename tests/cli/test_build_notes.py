"""What a build says of the same bytes under two labels, changed labels, moved photos and edited lists."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
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
        "note: 1 picture is under several labels, because equal files lie at several paths; their faces count under "
        "each label (in pictures.parquet: a picture_id that occurs under two labels)\n",
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


def test_photos_that_moved_are_told_and_prune_removes_their_old_names(run: Run, here: Path) -> None:
    run("build", "photos", "-o", "out", "--marked", "-q")
    Path("photos").rename("photos2")
    Path("photos2/Grace/2.jpg").rename("photos2/Grace/renamed.jpg")
    _, out, err = run("build", "photos2", "-o", "out", "--marked", "-q")
    assert err == (
        "moved: 2 files (photos/Eileen/1.png, photos/Grace/2.jpg) no longer on disk, "
        "but the same bytes were found in the sources; the old names are kept (--prune removes them)\n"
    )
    assert "4 = 2 read + 2 refused (duplicate 2)" in out
    status, out, err = run("build", "photos2", "-o", "out", "--marked", "-q", "--prune")
    assert (status, "2 = 2 read + 0 refused" in out) == (0, True)
    assert "moved: 2 files" in err and "the old names were removed" in err
    assert sources("out") == ["photos2/Eileen/1.png", "photos2/Grace/renamed.jpg"]
    assert run("check", "out")[0] == 0
    assert run("build", "photos2", "-o", "out", "--marked", "-q", "--prune")[2] == ""


def test_prune_in_the_build_that_finds_moved_photos_is_enough(run: Run, here: Path) -> None:
    run("build", "photos", "-o", "out", "--label-from", "folder", "-q")
    Path("photos").rename("photos2")
    Path("photos2/Grace").rename("photos2/Hopper")
    found = json.loads(run("build", "photos2", "-o", "out", "--label-from", "folder", "--json", "--prune")[1])
    assert (found["moved"], found["pruned"], found["pictures_under_several_labels"]) == (2, True, 0)
    assert {row["source"]: row["label"] for row in rows_of("out")} == {
        "photos2/Eileen/1.png": "Eileen",
        "photos2/Hopper/2.jpg": "Hopper",
    }


def test_parts_of_the_ledger_that_prune_empties_are_not_called_missing(run: Run, here: Path) -> None:
    build = ("build", "photos", "-o", "out", "-q", "--setting", "shard_size=1")
    run(*build)
    shutil.rmtree("photos/Grace")
    _, _, err = run(*build, "--prune")
    assert err == "gone from the sources: 1 file (photos/Grace/2.jpg); removed\n"
    assert run("check", "out")[0] == 0


def test_prune_leaves_what_is_gone_elsewhere_and_has_no_other_place(run: Run, here: Path) -> None:
    """As of a disk that is not mounted."""
    shutil.move("photos/Grace", "disk")
    run("build", "photos", "disk", "-o", "out", "-q")
    shutil.rmtree("disk")
    status, _, err = run("build", "photos", "-o", "out", "-q", "--prune")
    assert (status, err, sources("out")) == (0, "", ["disk/2.jpg", "photos/Eileen/1.png"])


def test_a_copy_of_a_photo_that_is_still_there_did_not_move(run: Run, here: Path) -> None:
    run("build", "photos", "-o", "out", "-q")
    shutil.copytree("photos", "copy")
    assert run("build", "copy", "-o", "out", "-q", "--prune")[2] == ""
    assert len(sources("out")) == 4


def test_prune_removes_rows_past_the_end_of_a_list_that_holds_pictures(run: Run, here: Path) -> None:
    pictures = [path.read_bytes() for path in (Path("photos/Eileen/1.png"), Path("photos/Grace/2.jpg"))]
    struct = [{"bytes": data, "path": f"{name}.jpg"} for data, name in zip(pictures, "ab", strict=True)]
    pq.write_table(pa.table({"image": struct}), "list.parquet")
    run("build", "list.parquet", "-o", "out", "-q")
    assert sources("out") == ["list.parquet:1!a.jpg", "list.parquet:2!b.jpg"]
    pq.write_table(pa.table({"image": struct[1:]}), "list.parquet")
    _, _, err = run("build", "list.parquet", "-o", "out", "-q")
    assert "gone from the sources: 1 file (list.parquet:2!b.jpg); kept in the dataset" in err
    run("build", "list.parquet", "-o", "out", "-q", "--prune")
    assert sources("out") == ["list.parquet:1!b.jpg"]
    assert len(rows_of("out", "faces")) == 1 and run("check", "out")[0] == 0


def test_a_link_that_is_followed_now_is_not_gone(run: Run, here: Path) -> None:
    shutil.move("photos/Grace", "store")
    Path("photos/link").symlink_to("../store")
    assert "outside_tree 1" in run("build", "photos", "-o", "out", "-q")[1]
    _, out, err = run("build", "photos", "-o", "out", "-q", "--follow-links")
    assert (err, sources("out")) == ("", ["photos/Eileen/1.png", "photos/link/2.jpg"])
    assert "2 = 2 read + 0 refused" in out


def test_explain_says_why_a_pose_was_not_measured(run: Run, here: Path) -> None:
    run("build", "photos/Eileen", "-o", "out", "-q", "--setting", "measure_floor=1.0", "--keep-rejected")
    (face,) = rows_of("out", "faces")
    out = run("explain", "out", face["face_id"])[1]
    assert "\nnote: Pose is measured only for faces with a confidence of 1 or more (measure_floor).\n" in out
    run("build", "photos/Eileen", "-o", "none", "-q", "--setting", "pose=none")
    assert (
        "note: The dataset was made without a pose model (pose = none).\n" in run("explain", "none", face["face_id"])[1]
    )


def test_another_policy_names_the_command_that_judges_again(run: Run, here: Path) -> None:
    run("build", "photos", "-o", "out", "-q")
    _, _, err = run("build", "photos", "-o", "out", "-q", "--policy", "lenient")
    assert "To apply another policy: `facesieve sieve out --policy lenient -o NEW`. [other_settings]\n" in err
    assert "policy.sentence" not in err and "policy.name: reference -> lenient" in err
    assert "--policy NAME|FILE --set LIMIT=VALUE" in run("build", "photos", "-o", "out", "--set", "max_yaw=3")[2]
    assert "To judge" not in run("build", "photos", "-o", "out", "--marked")[2]


def test_judging_into_a_folder_that_exists_says_so(run: Run, here: Path) -> None:
    run("build", "photos", "-o", "out", "-q")
    assert run("sieve", "out", "--policy", "lenient", "-o", "new")[0] == 0
    assert run("sieve", "out", "--policy", "lenient", "-o", "new")[0] == 0, "it is the same result"
    for folder in ("out", "photos"):
        status, _, err = run("sieve", "out", "--policy", "lenient", "-o", folder)
        assert status == 2
        assert err.startswith(f"error: {folder} is not empty: ") and err.endswith(" Name a new folder. [not_empty]\n")


def test_the_first_refused_pictures_are_listed_and_how_to_list_all(run: Run, here: Path) -> None:
    for number in range(12):
        (here / f"photos/bad{number:02d}.jpg").write_text(f"junk {number}")
    _, out, err = run("build", "photos", "-o", "out")
    listed = [line for line in err.splitlines() if line.startswith("refused: ")]
    names = [f"photos/bad{number:02d}.jpg" for number in range(12)]
    assert listed == [
        *(f"refused: {name}: not_an_image: This file is not a picture." for name in names[:10]),
        "refused: 2 more; all: facesieve explain out --refused",
    ]
    assert [line.split(":")[0] for line in run("explain", "out", "--refused")[1].splitlines()] == names
    _, out, err = run("build", "photos", "-o", "out", "--json")
    assert [row["source"] for row in json.loads(out)["first_refused"]] == names[:10]
    assert "refused:" not in run("build", "photos", "-o", "out", "-q")[2]
    merged = [line for line in run("merge", "out", "-o", "joined")[2].splitlines() if "refused" in line]
    assert merged == [*listed[:10], "refused: 2 more; all: facesieve explain joined --refused"]
