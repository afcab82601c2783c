"""`build --shard` on several machines and `merge`, with the real networks: the dataset of one build, byte for byte."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import pyarrow.parquet as pq
import pytest

from handmade import files_in
from page_facts import facts_of

Run = Callable[..., tuple[int, str, str]]
FAST = ("-q", "--setting", "pose=geometric", "--min-face-size", "40")


@pytest.fixture
def here(tmp_path: Path, astronaut: Path, hopper: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder: photos of two people, a list with labels, two archives, and copies of pictures in all."""
    monkeypatch.chdir(tmp_path)
    eileen, grace = cv2.imread(str(astronaut)), cv2.imread(str(hopper))
    for name in ("photos/Eileen", "photos/Grace", "more"):
        Path(name).mkdir(parents=True)
    for number in range(4):
        cv2.imwrite(f"photos/Eileen/{number}.png", eileen[number * 9 : 300 + number * 9])
        cv2.imwrite(f"photos/Grace/{number}.jpg", grace[number * 9 : 300 + number * 9])
    for number in range(3):
        cv2.imwrite(f"more/{number}.jpg", grace[:400, number * 11 :])
    shutil.copy("photos/Eileen/1.png", "photos/Eileen/again.png")
    shutil.copy("photos/Eileen/1.png", "photos/Grace/not Grace.png")
    shutil.copy("photos/Grace/2.jpg", "more/9.jpg")
    Path("photos/Grace/broken.jpg").write_bytes(hopper.read_bytes()[:9000])
    with open("list.csv", "w", newline="") as file:  # noqa: PTH123
        rows = [(f"more/{number}.jpg", "Hopper") for number in (0, 1, 2, 9)]
        csv.writer(file).writerows([("path", "label"), *rows, ("photos/Grace/0.jpg", "Grace")])
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.write("photos/Eileen/0.png", "Eileen/in zip.png")
        archive.writestr("Eileen/notes.png", b"not a picture")
    with tarfile.open("b.tar.gz", "w:gz") as packed:
        packed.add("photos/Grace", "Grace")
    return tmp_path


SOURCES = ("photos", "list.csv", "a.zip", "b.tar.gz", "--label-from", "folder", "--keep-rejected", "--marked", *FAST)


def build_shards(run: Run, count: int, *arguments: str) -> list[str]:
    parts = [f"part-{number}" for number in range(1, count + 1)]
    for number, part in enumerate(parts, 1):
        status, _, errors = run("build", *arguments, "-o", part, "--shard", f"{number}/{count}")
        assert status == 0, errors
    return parts


@pytest.mark.parametrize(
    ("sources", "label_from", "labels"),
    [
        (("photos/Eileen", "photos/Grace"), "folder:1", {"Eileen", "Grace"}),
        ((".",), "folder:2", {"", "Eileen", "Grace"}),
        (("photos", "more"), r"name:photos/(?P<label>\w+)/\d", {"", "Eileen", "Grace"}),
    ],
)
def test_every_shard_finds_the_labels_of_one_build(
    run: Run, here: Path, sources: tuple[str, ...], label_from: str, labels: set[str]
) -> None:
    arguments = (*sources, "--label-from", label_from, "--one-per-picture", *FAST)
    (here / "out of here").mkdir()  # a build of `.` must not find the datasets
    for number in ("1", "2"):
        part = f"out of here/{number}"
        assert run("build", *arguments, "-o", part, "--shard", f"{number}/2")[0] == 0
    assert run("build", *arguments, "-o", "out of here/whole")[0] == 0
    assert run("merge", "out of here/1", "out of here/2", "-o", "out of here/merged")[0] == 0
    assert files_in(here / "out of here/merged") == files_in(here / "out of here/whole")
    found = pq.read_table(here / "out of here/merged/pictures.parquet")["label"].to_pylist()
    assert set(found) == labels


@pytest.mark.parametrize("count", [1, 3, 7])
def test_shards_of_folders_lists_and_archives_merge_to_the_dataset_of_one_build(
    run: Run, here: Path, count: int
) -> None:
    assert run("build", *SOURCES, "-o", "whole")[0] == 0
    parts = build_shards(run, count, *SOURCES)
    status, out, _ = run("merge", *parts, "-o", "out")
    assert status == 0
    assert out.splitlines()[0] == "look at out/contact_sheet.html"
    assert files_in(here / "out") == files_in(here / "whole")
    pictures = sum(pq.read_metadata(f"{part}/pictures.parquet").num_rows for part in parts)
    assert pictures == pq.read_metadata("out/pictures.parquet").num_rows == 23
    assert run("check", "out")[0] == 0
    # Nothing is left to do, nothing is gone, and a list is remembered as by one build.
    for dataset in ("whole", "out"):
        said = json.loads(run("build", *SOURCES, "-o", dataset, "--json", "--prune")[1])
        assert (said["gone"], said["moved"], said["pictures"]) == (0, 0, 23)
    Path("list.csv").write_text("path,label\nmore/0.jpg,Hopper\nmore/1.jpg,Hopper\n")
    for dataset in ("whole", "out"):
        assert json.loads(run("build", *SOURCES, "-o", dataset, "--json", "--prune")[1])["gone"] == 2
    assert files_in(here / "out") == files_in(here / "whole")
    assert pq.read_metadata("out/pictures.parquet").num_rows == 21


def test_a_shard_is_pruned_of_what_is_gone_and_of_nothing_else(run: Run, here: Path) -> None:
    build_shards(run, 2, *SOURCES)
    Path("photos/Eileen/2.png").unlink()
    Path("photos/Grace/3.jpg").unlink()
    Path("list.csv").write_text("path,label\nmore/0.jpg,Hopper\nmore/1.jpg,Hopper\n")
    told = [
        json.loads(run("build", *SOURCES, "-o", f"part-{number}", "--shard", f"{number}/2", "--json")[1])["gone"]
        for number in (1, 2)
    ]
    assert sum(told) == 4
    build_shards(run, 2, *SOURCES, "--prune")
    run("merge", "part-1", "part-2", "-o", "out")
    run("build", *SOURCES, "-o", "whole")
    assert files_in(here / "out") == files_in(here / "whole")


def test_one_dataset_may_hold_several_shards(run: Run, here: Path) -> None:
    for number in (1, 2, 1):
        assert run("build", *SOURCES, "-o", "out", "--shard", f"{number}/2", "--prune")[0] == 0
    run("build", *SOURCES, "-o", "whole")
    assert files_in(here / "out") == files_in(here / "whole")


def test_a_shard_built_by_workers_and_killed_meanwhile_is_continued(run: Run, here: Path) -> None:
    run("build", *SOURCES, "-o", "whole")
    command = [sys.executable, "-m", "facesieve", "build", *SOURCES, "-o", "part-1", "--shard", "1/2", "--workers", "2"]
    command += ["--setting", "shard_size=1"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    parts = here / "part-1" / ".facesieve" / "parts"
    while child.poll() is None and not (parts.is_dir() and len(list(parts.iterdir())) > 1):
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    status, _, errors = run("merge", "part-1", "-o", "early")
    assert (status, errors.rstrip()[-12:]) == (2, "[unfinished]")
    build_shards(run, 2, *SOURCES)
    run("merge", "part-1", "part-2", "-o", "out")
    assert files_in(here / "out") == files_in(here / "whole")


def test_a_shard_without_sources_is_an_empty_dataset_and_no_failure(run: Run, here: Path) -> None:
    alone = ("photos/Eileen/0.png", *FAST)
    parts = build_shards(run, 5, *alone)
    assert sorted(pq.read_metadata(f"{part}/faces.parquet").num_rows for part in parts) == [0, 0, 0, 0, 1]
    run("merge", *parts, "-o", "out", "-q")
    run("build", *alone, "-o", "whole")
    assert files_in(here / "out") == files_in(here / "whole")
    # Where all sources of a shard are refused, it is a failure as without shards.
    assert {
        run("build", "photos/Grace/broken.jpg", *FAST, "-o", f"no-{k}", "--shard", f"{k}/2")[0] for k in (1, 2)
    } == {
        0,
        1,
    }


def test_a_source_with_two_labels_is_refused_in_every_shard(run: Run, here: Path) -> None:
    Path("list.csv").write_text("path,label\nmore/0.jpg,Hopper\nmore/0.jpg,Grace\n")
    for number in (1, 2, 3):
        status, _, errors = run("build", "list.csv", "-o", "part", "--shard", f"{number}/3", *FAST)
        assert (status, errors.rstrip()[-12:]) == (2, "[two_labels]")


@pytest.mark.parametrize("shard", ["0/64", "65/64", "x/y", "3/0", "3", "-1/2", ""])
def test_a_wrong_shard_is_one_sentence_and_writes_nothing(run: Run, here: Path, shard: str) -> None:
    status, out, errors = run("build", "photos", "-o", "out", "--shard", shard, *FAST)
    assert (status, out) == (2, "")
    assert errors.startswith(f"error: {shard!r} is not a shard; write K/N with K from 1 to N, such as 3/64 for the")
    assert errors.endswith(" [bad_shard]\n") and errors.count("\n") == 1
    assert not Path("out").exists()


def test_merge_says_what_differs_in_one_sentence_and_prints_json(run: Run, here: Path) -> None:
    run("build", "more/0.jpg", "-o", "a", *FAST)
    run("build", "more/1.jpg", "-o", "b", "-q", "--setting", "pose=geometric", "--min-face-size", "30")
    status, out, errors = run("merge", "a", "b", "-o", "out")
    assert (status, out) == (2, "")
    assert errors == (
        "error: a and b were built with different options: settings.min_face_size: 40 -> 30. "
        "Build one of them again with the options of the other. [other_settings]\n"
    )
    said = json.loads(run("merge", "a", "-o", "out", "--json", "--setting", "sheet_faces=0")[1])
    assert (said["dataset"], said["pictures"], said["faces"], said["repeated"]) == ("out", 1, 1, 0)
    facts = facts_of(Path("out/contact_sheet.html"))
    assert (facts["faces"], facts["counts"]["faces"]) == ([], 1)


def test_many_real_photos_in_five_shards_are_one_dataset(
    run: Run, tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("lfw_dev", "group_photos_dev", "hostile_dev"):
        for photo in sorted(path for path in (shared / "data" / folder).rglob("*") if path.is_file())[:15]:
            place = Path("photos", folder, photo.relative_to(shared / "data" / folder))
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, place)
    options = ("photos", "--label-from", "folder", "--crops", "face,head", *FAST, "--setting", "max_pixels=4000000")
    run("build", *options, "-o", "whole")
    run("merge", *reversed(build_shards(run, 5, *options)), "-o", "out")
    assert files_in(tmp_path / "out") == files_in(tmp_path / "whole")
    assert pq.read_metadata("out/faces.parquet").num_rows > 20
