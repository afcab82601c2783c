"""`facesieve explain` on a dataset of a handmade pipeline: faces, pictures, refusals, and faces near to a limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from facesieve.run.build import build_dataset
from facesieve.sieve import Reason
from handmade import Handmade, build_spec, photos, sources_in

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def dataset(tmp_path: Path, astronaut: Path) -> Path:
    build_dataset(sources_in(photos(tmp_path / "heap", astronaut)), tmp_path / "out", Handmade, build_spec())
    return tmp_path / "out"


def pictures_of(dataset: Path) -> list[dict]:
    return pq.read_table(dataset / "pictures.parquet").to_pylist()


def test_explain_shows_every_rule_with_value_limits_and_outcome(run: Run, dataset: Path) -> None:
    row = next(row for row in pq.read_table(dataset / "faces.parquet").to_pylist() if not row["kept"])
    status, out, _ = run("explain", dataset, row["face_id"][:12])
    assert status == 0
    lines = out.splitlines()
    assert lines[0].endswith(row["face_id"]) and row["source"] in lines[1]
    assert any(line.startswith(f"box      x {row['box_x']:.0f}, y {row['box_y']:.0f},") for line in lines)
    assert "rejected: " + ", ".join(row["reasons"]) in out
    assert next(line for line in lines if line.startswith("blur ")).split()[:7] == [
        *("blur", f"{row['blur']:.5g}", "at", "least", "100", "FAIL", "blurred:")
    ]
    (check,) = json.loads(run("explain", dataset, row["face_id"], "--json")[1])["checks"]
    expected = {"measure": "blur", "value": row["blur"], "low": 100, "high": None, "passed": False, "reason": "blurred"}
    assert {name: check[name] for name in expected} == expected


def test_a_prefix_must_fit_one_face(run: Run, dataset: Path) -> None:
    status, _, err = run("explain", dataset, "fff0fff0")
    assert status == 2 and err == f"error: No picture and no face of {dataset} is named 'fff0fff0'. [no_such_picture]\n"
    ids = pq.read_table(dataset / "faces.parquet")["face_id"].to_pylist()
    shared = next(digit for digit in "0123456789abcdef" if sum(one.startswith(digit) for one in ids) > 1)
    status, _, err = run("explain", dataset, shared)
    assert status == 2 and "[ambiguous_face]" in err


def test_a_picture_is_explained_by_its_path_its_file_name_and_the_end_of_its_path(
    run: Run, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = next(row for row in pictures_of(dataset) if row["faces"] == 2)
    name = picture["source"]
    whole = run("explain", dataset, name)
    assert whole[0] == 0
    assert whole[1].startswith(f"picture  {name}   label {picture['label']}   2 faces, {picture['kept']} kept\n\nface ")
    ids = [row["face_id"] for row in pq.read_table(dataset / "faces.parquet").to_pylist() if row["source"] == name]
    assert [line.split()[1] for line in whole[1].splitlines() if line.startswith("face  ")] == ids
    monkeypatch.chdir(tmp_path / "heap")
    for other in (Path(name).name, f"./{name}", f"Ada/../{name}", tmp_path / "heap" / name):
        assert run("explain", dataset, other) == whole, other
    found = json.loads(run("explain", dataset, name, "--json")[1])
    assert [face["face"]["face_id"] for face in found["faces"]] == ids
    assert found["pictures"] == [
        {"source": name, "label": picture["label"], "faces": 2, "kept": 1, "refusal": None, "message": None}
    ]


def test_a_picture_without_a_face_and_a_refused_one_say_so(run: Run, dataset: Path) -> None:
    bare = next(row for row in pictures_of(dataset) if not row["faces"] and not row["refusal"])
    assert run("explain", dataset, bare["source"])[1].endswith("   no face was found\n")
    assert run("explain", dataset, "empty.jpg") == (
        0,
        "picture  Ada/empty.jpg   label Ada   refused: empty: No pixels in these bytes.\n",
        "",
    )


def test_a_name_that_several_pictures_have_is_an_error_that_lists_them(
    run: Run, tmp_path: Path, astronaut: Path
) -> None:
    heap = photos(tmp_path / "heap", astronaut, 2)
    for folder in ("Ada", "Grace"):
        (heap / folder / "me.jpg").write_text("not a picture")
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    status, _, err = run("explain", tmp_path / "out", "me.jpg")
    assert (status, err) == (
        2,
        "error: 2 pictures are named 'me.jpg': Ada/me.jpg, Grace/me.jpg. Write more of the path. [ambiguous_picture]\n",
    )
    assert run("explain", tmp_path / "out", "Ada/me.jpg")[0] == 0


@pytest.mark.parametrize("name", ["", ".", "e.jpg", "Ada", "caf\udce9.jpg", "x" * 9000, "*.jpg", "a\nb"])
def test_a_name_that_no_picture_has_is_an_error(run: Run, dataset: Path, name: str) -> None:
    status, out, err = run("explain", dataset, name)
    assert (status, out) == (2, "") and err.endswith("[no_such_picture]\n") and len(err) < 1000


@pytest.mark.parametrize("arguments", [[], ["ab", "--refused"], ["--refused", "--reason", "blurred"]])
def test_explain_needs_exactly_one_question(run: Run, dataset: Path, arguments: list[str]) -> None:
    assert run("explain", dataset, *arguments) == (
        2,
        "",
        "error: Name one face or picture, or write --refused or --reason REASON. [bad_explain]\n",
    )


def test_refused_pictures_are_listed_without_duplicates(run: Run, dataset: Path) -> None:
    refused = [row for row in pictures_of(dataset) if row["refusal"]]
    assert {row["refusal"] for row in refused} == {"empty", "not_an_image", "duplicate"}
    assert run("explain", dataset, "--refused") == (
        0,
        "Ada/empty.jpg: empty: No pixels in these bytes.\nAda/notes.txt: not_an_image: No pixels in these bytes.\n",
        "",
    )
    listed = json.loads(run("explain", dataset, "--refused", "--json")[1])
    assert [row["source"] for row in listed] == ["Ada/empty.jpg", "Ada/notes.txt"]


def test_a_dataset_without_refused_pictures_says_so(run: Run, tmp_path: Path) -> None:
    build_dataset([], tmp_path / "out", Handmade, build_spec())
    assert run("explain", tmp_path / "out", "--refused") == (0, "no picture was refused\n", "")
    assert run("explain", tmp_path / "out", "--refused", "--json") == (0, "[]\n", "")


@pytest.mark.parametrize("reason", ["pose_not_measured", "not_measured", "by_hand"])
def test_a_reason_that_no_limit_decides_is_explained(run: Run, dataset: Path, reason: str) -> None:
    status, out, err = run("explain", dataset, "--reason", reason)
    assert (status, out) == (2, "") and err == (
        f"error: No face is near to a limit of {reason}, which has none: {Reason(reason).sentence} [no_limit]\n"
    )


def test_faces_near_to_a_limit_are_listed_across_it(run: Run, dataset: Path) -> None:
    rows = pq.read_table(dataset / "faces.parquet").to_pylist()
    within = sorted(row["blur"] for row in rows if row["blur"] >= 100)
    outside = sorted((row["blur"] for row in rows if row["blur"] < 100), reverse=True)
    assert len(outside) > 2
    found = json.loads(run("explain", dataset, "--reason", "blurred", "--nearest", "2", "--json")[1])
    assert [face["value"] for face in found if not face["passed"]] == outside[:2]
    assert [face["value"] for face in found if face["passed"]] == within[:2][::-1]
    text = run("explain", dataset, "--reason", "blurred", "--nearest", "1")[1].splitlines()
    assert "outside at least 100" in text[-1] and f"{outside[0]:.5g}" in text[-1]


def test_a_reason_that_no_rule_has_is_an_error_that_lists_those_there_are(run: Run, dataset: Path) -> None:
    assert run("explain", dataset, "--reason", "nope") == (
        2,
        "",
        f"error: No rule of {dataset} has the reason 'nope'; there are blurred. [no_such_reason]\n",
    )
