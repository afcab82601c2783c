"""`facesieve people`: what it says of labels, and the file that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from given import Given, given_dataset, people_pictures
from typer.testing import CliRunner

from facesieve.cli import application
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.run.open_dataset import Dataset, open_dataset
from facesieve.run.people import People
from facesieve.settings import Settings
from vectors import people


def kinds(found: People) -> dict[str, int]:
    counts = dict[str, int]()
    for finding in found.findings:
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
    return counts


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Labels with one fault of each kind, and one without."""
    vectors, owner = people([6, 6, 5, 8, 6, 3, 1])
    pictures = people_pictures(vectors, owner, ["right", "merged", "merged", "one", "Case", "case", "right"])
    pictures |= {f"two/{n}.png": pictures.pop(f"one/{n:03d}.png") for n in range(17, 21)}
    pictures["group.png"] = [Given(vectors[25]), Given(vectors[26], size=20), Given(vectors[31])]
    pictures["right/copy.png"] = pictures["right/000.png"]
    same = {"case/copy.png": "right/000.png"}
    pictures["case/copy.png"] = pictures["right/000.png"]
    return given_dataset(tmp_path_factory.mktemp("faulty") / "d", pictures, same_bytes=same)


def test_every_kind_of_fault_is_found_with_its_evidence(faulty: Dataset) -> None:
    found = faulty.people()
    rows = {row["source"]: row for row in faulty.faces.to_pylist()}
    ids = {name: row["face_id"] for name, row in rows.items()}
    by_kind = {kind: [one for one in found.findings if one.kind == kind] for kind in kinds(found)}
    assert list(by_kind) == ["wrong", "merged", "split", "alike_names", "twice_in_picture", "two_labels"]
    wrong = {one.faces[0]: one for one in by_kind["wrong"]}
    stranger = wrong[ids["right/034.png"]]
    assert stranger.labels == ("right",) and stranger.distance is not None and stranger.distance > 0.55
    assert f"Face {ids['right/034.png']} is 0." in stranger.text and "from the other faces of 'right'" in stranger.text
    [merged] = by_kind["merged"]
    assert merged.labels == ("merged",) and "has 6 faces like" in merged.text and "and 5 like" in merged.text
    assert {rows[name]["face_id"] for name in rows if name.startswith("merged")} >= set(merged.faces)
    assert [one.labels for one in by_kind["split"]] == [("one", "two")]
    assert [one.labels for one in by_kind["alike_names"]] == [("Case", "case")]
    [twice] = by_kind["twice_in_picture"]
    assert len(twice.faces) == 2 and twice.labels == () and twice.distance is not None and twice.distance < 0.45
    assert ("case", "right") in {one.labels for one in by_kind["two_labels"]}
    assert any("Picture " in one.text and "right/000.png ('right')" in one.text for one in by_kind["two_labels"])


def test_the_summary_of_a_label_counts_what_the_findings_name(faulty: Dataset) -> None:
    labels = {one.label: one for one in faulty.people().labels}
    assert list(labels) == ["", "Case", "case", "merged", "one", "right", "two"]
    right, two, nameless = labels["right"], labels["two"], labels[""]
    assert (right.faces, right.kept, right.embedded, len(right.suspicious)) == (8, 8, 8, 1)
    assert right.findings == ("wrong", "two_labels")
    assert (two.resembles, two.findings) == ("one", ("split",))
    assert two.resembles_distance is not None and two.resembles_distance < 0.45
    assert right.spread is not None and 0.2 < right.spread < 0.45
    assert (nameless.faces, nameless.spread, nameless.resembles) == (3, None, None)


def test_without_embeddings_pictures_under_two_labels_and_alike_names_are_still_told(tmp_path: Path) -> None:
    vectors, owner = people([3, 3])
    pictures = people_pictures(vectors, owner, ["Ada", "ada"])
    near = bytes(range(32))
    pictures["Ada/x.png"] = [Given(None, hash_=near, fitness=80)]
    pictures["ada/x.png"] = [Given(None, hash_=near, fitness=60)]
    pictures["ada/same.png"] = pictures["Ada/000.png"]
    dataset = given_dataset(tmp_path / "d", pictures, model=None, same_bytes={"ada/same.png": "Ada/000.png"})
    found = dataset.people()
    assert kinds(found) == {"alike_names": 1, "two_labels": 2}
    assert found.notes[0].endswith("`facesieve identify " + str(tmp_path / "d") + " --identity dlib-resnet`.")
    [copy] = [one for one in found.findings if "nearly the same picture" in one.text]
    assert copy.labels == ("ada", "Ada") and copy.distance == 0
    assert {one.label: (one.spread, one.duplicates) for one in found.labels} == {"Ada": (None, 0), "ada": (None, 2)}


def test_leaks_name_the_face_of_the_other_dataset(tmp_path: Path) -> None:
    vectors, owner = people([4, 4])
    dataset = given_dataset(tmp_path / "d", people_pictures(vectors, owner, ["ada", "ben"]))
    held = given_dataset(tmp_path / "held", {"x/1.png": [Given(vectors[0] + np.float16(0.01))]})
    leaks = [one for one in dataset.people(against=tmp_path / "held").findings if one.kind == "leaked"]
    [theirs] = held.faces["face_id"].to_pylist()
    assert {one.labels for one in leaks} == {("ada",)} and {one.faces[1] for one in leaks} == {theirs}
    assert min(one.distance for one in leaks if one.distance is not None) < 0.12


def test_a_dataset_without_faces_or_labels_has_no_findings(tmp_path: Path) -> None:
    nobody = given_dataset(tmp_path / "a", {"ada/1.png": []}).people()
    assert (nobody.labels, nobody.findings) == ((), ()) and "has a label" in nobody.notes[0]
    nameless = given_dataset(tmp_path / "b", {"1.png": [Given(people([1])[0][0])]}).people()
    assert [one.label for one in nameless.labels] == [""] and "has a label" in nameless.notes[0]


def test_ten_thousand_faces_of_one_label_are_compared(tmp_path: Path) -> None:
    from facesieve.relate import Space, find_centres

    vectors, owner = people([10_000])
    found = find_centres(vectors, owner, np.arange(10_000), owner >= 0, Space(False, 0.6))
    assert found.faces.tolist() == [10_000] and not np.isnan(found.distance).any()
    assert found.distance.max() < 0.55


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), [str(one) for one in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_prints_labels_and_findings_and_writes_the_table(faulty: Dataset) -> None:
    root = faulty.layout.root
    code, text, notes = run("people", root)
    found = faulty.people()
    assert code == 0 and "labels were not compared" not in notes
    assert all(finding.text in text for finding in found.findings)
    assert text.splitlines()[0].split() == [
        *("label", "faces", "kept", "spread", "suspicious", "duplicates", "most", "like", "findings")
    ]
    assert text.splitlines()[-1].startswith(f"6 labels | {len(found.findings)} findings (")
    table = pq.read_table(root / "people.parquet")
    assert table.to_pylist() == found.table.to_pylist()
    assert table["label"].to_pylist() == ["", "Case", "case", "merged", "one", "right", "two"]
    before = (root / "people.parquet").read_bytes()
    code, text, _ = run("people", root, "--json")
    told = json.loads(text)
    assert (code, told["dataset"]) == (0, str(root)) and len(told["findings"]) == len(found.findings)
    assert (root / "people.parquet").read_bytes() == before
    assert run("people", root, "-q")[1].count("\n") == 1
    assert check_dataset(root).faults == ()
    assert not (root / ".facesieve" / "scratch").exists()


def test_the_table_disappears_when_the_dataset_changes(tmp_path: Path) -> None:
    vectors, owner = people([3, 3])
    dataset = given_dataset(tmp_path / "d", people_pictures(vectors, owner, ["ada", "ben"]))
    dataset.people(write=True)
    assert dataset.layout.people.exists()
    forget(tmp_path / "d", [], Settings.load(), labels=["ben"])
    assert not dataset.layout.people.exists()
    assert [one.label for one in open_dataset(tmp_path / "d").people().labels] == ["ada"]


def test_sieve_against_another_dataset_prints_what_it_could_not_compare(tmp_path: Path) -> None:
    vectors, owner = people([3])
    given_dataset(tmp_path / "d", people_pictures(vectors, owner, ["ada"]))
    given_dataset(tmp_path / "held", {"x/1.png": [Given(None)]}, model=None)
    code, text, notes = run("sieve", tmp_path / "d", "--against", tmp_path / "held")
    assert code == 0 and "0 newly rejected" in text
    assert notes.startswith("note: ") and "by the hashes of their crops" in notes
    code, _, error = run("sieve", tmp_path / "d", "--against", tmp_path / "nothing")
    assert code == 1 or "nothing" in error
