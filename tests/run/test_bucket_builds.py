"""Builds of pictures in buckets, from a real S3 server on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from s3_server import S3Server

from facesieve.run import shard

Run = Callable[..., tuple[int, str, str]]
OURS = ("--setting", "fetch_tries=1", "--keep-rejected", "--json", "-q")


@pytest.fixture
def portraits(astronaut: Path, hopper: Path) -> dict[str, bytes]:
    return {"eileen/a 1%.png": astronaut.read_bytes(), "grace/new\nline 😀.jpg": hopper.read_bytes()}


def rows(dataset: Path) -> dict[str, tuple[str | None, str]]:
    """Refusal and label of each source, by its name."""
    table = pq.read_table(dataset / "pictures.parquet").to_pylist()
    return {row["source"]: (row["refusal"], row["label"]) for row in table}


def picture_ids(dataset: Path) -> dict[str, str]:
    return {row["source"]: row["picture_id"] for row in pq.read_table(dataset / "pictures.parquet").to_pylist()}


def test_a_bucket_makes_the_same_faces_as_a_folder_with_one_worker_and_with_two(
    tmp_path: Path, run: Run, s3: S3Server, portraits: dict[str, bytes]
) -> None:
    for key, data in portraits.items():
        (tmp_path / "people" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "people" / key).write_bytes(data)
    names = ["files", "bucket1", "bucket2"]
    for name, source, workers in zip(names, [tmp_path / "people", *[s3.folder(portraits)] * 2], [1, 1, 2], strict=True):
        arguments = ("-o", tmp_path / name, "--label-from", "folder", "--workers", workers, *OURS)
        status, _, err = run("build", source, *arguments)
        assert status == 0, err
    crops = [{path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.png")} for name in names]
    assert crops[0] == crops[1] == crops[2] and len(crops[0]) >= 2
    faces = [pq.read_table(tmp_path / name / "faces.parquet") for name in names]
    assert faces[1].equals(faces[2])
    assert faces[0].drop(["source"]).sort_by("face_id").equals(faces[1].drop(["source"]).sort_by("face_id"))
    assert sorted(faces[0]["label"].to_pylist()) == ["eileen", "grace"]


def test_a_list_may_hold_paths_and_urls_of_all_kinds(
    tmp_path: Path, run: Run, s3: S3Server, portraits: dict[str, bytes], hopper: Path
) -> None:
    folder = s3.folder(portraits)
    names = [
        f"{folder}eileen/a 1%.png",
        f"{folder}gone.jpg",
        "s3://no-such-bucket/a.jpg",
        "s3://no bucket/a.jpg",
        "az://container/a.jpg",
        hopper.as_posix(),
    ]
    lines = [json.dumps({"path": name, "label": "x"}) for name in names]
    lines.append(json.dumps({"path": f"{folder}grace/new\nline 😀.jpg", "label": "Grace"}))
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    status, _, err = run("build", tmp_path / "list.jsonl", "-o", tmp_path / "out", *OURS)
    assert status == 0, err
    assert rows(tmp_path / "out") == {
        f"{folder}eileen/a 1%.png": (None, "x"),
        f"{folder}gone.jpg": ("fetch_failed", "x"),
        "s3://no-such-bucket/a.jpg": ("fetch_failed", "x"),
        "s3://no bucket/a.jpg": ("bad_url", "x"),
        "az://container/a.jpg": ("fetch_failed", "x"),
        hopper.as_posix(): (None, "x"),
        f"{folder}grace/new\\nline 😀.jpg": (None, "Grace"),
    }


def test_new_changed_and_vanished_objects_are_noticed(
    tmp_path: Path, run: Run, s3: S3Server, portraits: dict[str, bytes], hopper: Path
) -> None:
    folder, out = s3.folder(portraits), tmp_path / "out"

    def build(*options: str) -> dict[str, object]:
        status, said, err = run("build", folder, "-o", out, *OURS, *options)
        assert status == 0, err
        answer: dict[str, object] = json.loads(said)
        return answer

    assert build()["gone"] == 0
    first = picture_ids(out)
    s3.put(f"{folder}grace/2.jpg", hopper.read_bytes() + b"2")
    s3.put(f"{folder}eileen/a 1%.png", portraits["eileen/a 1%.png"] + b"changed")
    s3.delete(f"{folder}grace/new\nline 😀.jpg")
    assert build()["gone"] == 1
    second = picture_ids(out)
    changed, gone = f"{folder}eileen/a 1%.png", f"{folder}grace/new\\nline 😀.jpg"
    assert set(second) == {changed, gone, f"{folder}grace/2.jpg"}
    assert first[changed] != second[changed] and first[gone] == second[gone]
    assert build("--prune")["gone"] == 1
    assert set(picture_ids(out)) == {changed, f"{folder}grace/2.jpg"}
    assert build("--prune")["gone"] == 0
    assert run("check", out)[0] == 0


def test_pruning_one_folder_keeps_what_lies_elsewhere(
    tmp_path: Path, run: Run, s3: S3Server, portraits: dict[str, bytes], hopper: Path, astronaut: Path
) -> None:
    folder, out = s3.folder(portraits), tmp_path / "out"
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "h.jpg").write_bytes(hopper.read_bytes() + b"local")
    s3.put(f"{folder}grace", astronaut.read_bytes() + b"an object whose name is that of a folder")
    assert run("build", folder, tmp_path / "local", "-o", out, *OURS)[0] == 0
    everything = set(picture_ids(out))
    for place in (f"{folder}eileen/", f"{folder}eileen", tmp_path / "local", f"{folder}grace"):
        status, said, err = run("build", place, "-o", out, "--prune", *OURS)
        assert status == 0, err
        assert json.loads(said)["gone"] == 0
        assert set(picture_ids(out)) == everything
    s3.delete(f"{folder}grace/new\nline 😀.jpg")
    assert json.loads(run("build", f"{folder}eileen/", "-o", out, "--prune", *OURS)[1])["gone"] == 0
    assert json.loads(run("build", folder, "-o", out, "--prune", *OURS)[1])["gone"] == 1


def test_the_working_folder_is_no_place_of_objects(
    tmp_path: Path, run: Run, s3: S3Server, portraits: dict[str, bytes], hopper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = s3.folder(portraits), tmp_path / "out"
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "h.jpg").write_bytes(hopper.read_bytes() + b"local")
    monkeypatch.chdir(tmp_path / "here")
    assert run("build", folder, "-o", out, *OURS)[0] == 0
    for place in (".", "**", "*.jpg"):
        status, said, err = run("build", place, "-o", out, "--prune", *OURS)
        assert status == 0, err
        assert json.loads(said)["gone"] == 0
    assert len(picture_ids(out)) == 3


def test_labels_change_without_fetching_names_again(
    tmp_path: Path, run: Run, s3: S3Server, portraits: dict[str, bytes]
) -> None:
    folder, out = s3.folder(portraits), tmp_path / "out"
    url = f"{folder}eileen/a 1%.png"
    for label in ("Eileen", "Collins"):
        (tmp_path / "list.csv").write_text(f"path,label\n{url},{label}\n")
        status, said, err = run("build", tmp_path / "list.csv", "-o", out, *OURS)
        assert status == 0, err
    assert json.loads(said)["changed_labels"] == [{"from": "Eileen", "to": "Collins", "pictures": 1}]
    assert rows(out) == {url: (None, "Collins")}


def test_an_object_in_a_list_is_not_read_again_because_a_folder_told_more_about_it(
    tmp_path: Path, run: Run, s3: S3Server, portraits: dict[str, bytes]
) -> None:
    folder, out = s3.folder(portraits), tmp_path / "out"
    (tmp_path / "list.txt").write_text(f"{folder}eileen/a 1%.png\n")
    assert run("build", folder, "-o", out, *OURS)[0] == 0
    s3.delete(f"{folder}eileen/a 1%.png")
    assert run("build", tmp_path / "list.txt", "-o", out, *OURS)[0] == 0
    assert rows(out)[f"{folder}eileen/a 1%.png"] == (None, "")


def test_an_object_that_changes_or_vanishes_after_it_was_listed_is_recorded_as_it_was_read(
    tmp_path: Path, run: Run, s3: S3Server, portraits: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = s3.folder(portraits), tmp_path / "out"
    changing, vanishing = f"{folder}eileen/a 1%.png", f"{folder}grace/new\nline 😀.jpg"
    reporting = shard._reporting

    def change_first(*arguments: object) -> object:
        s3.put(changing, portraits["eileen/a 1%.png"] + b"changed")
        s3.delete(vanishing)
        return reporting(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shard, "_reporting", change_first)
    assert run("build", folder, "-o", out, "--workers", 1, *OURS)[0] == 0
    read = picture_ids(out)[changing]
    assert rows(out) == {changing: (None, ""), f"{folder}grace/new\\nline 😀.jpg": ("fetch_failed", "")}
    monkeypatch.undo()
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    status, said, _ = run("build", folder, "-o", out, "--prune", *OURS)
    assert (status, json.loads(said)["gone"]) == (0, 1)
    assert picture_ids(out) == {changing: read}


def test_an_object_that_could_not_be_read_is_tried_again(
    tmp_path: Path, run: Run, s3: S3Server, portraits: dict[str, bytes]
) -> None:
    folder, out = s3.folder(portraits), tmp_path / "out"
    url = f"{folder}later.jpg"
    (tmp_path / "list.txt").write_text(f"{url}\n{folder}eileen/a 1%.png\n")
    assert run("build", tmp_path / "list.txt", "-o", out, *OURS)[0] == 0
    assert rows(out)[url] == ("fetch_failed", "")
    s3.put(url, portraits["grace/new\nline 😀.jpg"])
    assert run("build", tmp_path / "list.txt", "-o", out, *OURS)[0] == 0
    assert rows(out)[url] == (None, "")


def test_faces_are_explained_and_folders_are_forgotten(
    tmp_path: Path, run: Run, s3: S3Server, portraits: dict[str, bytes]
) -> None:
    folder, out = s3.folder(portraits), tmp_path / "out"
    assert run("build", folder, "-o", out, *OURS)[0] == 0
    [face] = pq.read_table(out / "faces.parquet", filters=[("source", "=", f"{folder}eileen/a 1%.png")]).to_pylist()
    status, said, _ = run("explain", out, face["face_id"])
    assert status == 0 and f"{folder}eileen/a 1%.png" in said
    for what in (f"{folder}eil", f"{folder}*", "*", "**", "."):
        assert run("forget", out, what)[0] == 2
    assert run("forget", out, f"{folder}eileen/")[0] == 0
    assert set(rows(out)) == {f"{folder}grace/new\\nline 😀.jpg"}
    assert run("forget", out, f"{folder}grace/new\nline 😀.jpg")[0] == 0
    assert rows(out) == {} and run("check", out)[0] == 0


def test_wrong_arguments_end_the_build_before_it_begins(tmp_path: Path, run: Run, s3: S3Server) -> None:
    for url in ("s3://no-such-bucket/people/", s3.folder(), "s3://"):
        status, _, err = run("build", url, "-o", tmp_path / "out", *OURS)
        assert status == 2 and err.startswith("error: ") and "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_a_file_url_is_a_path(tmp_path: Path, run: Run, portraits: dict[str, bytes]) -> None:
    people = tmp_path / "people of ours"
    for key, data in portraits.items():
        (people / key).parent.mkdir(parents=True)
        (people / key).write_bytes(data)
    out = tmp_path / "out"
    assert run("build", people.as_uri(), "-o", out, "--label-from", "folder", *OURS)[0] == 0
    assert set(rows(out).values()) == {(None, "eileen"), (None, "grace")}
    (people / "eileen" / "a 1%.png").unlink()
    status, said, _ = run("build", people.as_uri(), "-o", out, "--label-from", "folder", "--prune", *OURS)
    assert (status, json.loads(said)["gone"], len(rows(out))) == (0, 1, 1)
    for url, message in (
        ("file://", "file:// cannot be read: The URL names no file. [missing_source]"),
        ("file://host/a.jpg", "file://host/a.jpg cannot be read: The URL names a file of another machine."),
        ((tmp_path / "none").as_uri(), f"There is no file or folder {str(tmp_path / 'none')!r}."),
    ):
        status, _, err = run("build", url, "-o", tmp_path / "other", *OURS)
        assert status == 2 and message in err
