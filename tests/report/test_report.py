"""The report of a dataset: its numbers are true, and it is written, removed and refused as other files are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from facesieve.dataset.decision_file import Change, change_decisions
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.tables.decisions import Effect
from facesieve.errors import DatasetError, UsageError
from facesieve.report.report import face_ids, report_facts, report_page
from facesieve.run.build import build_dataset
from facesieve.run.check import check_dataset
from facesieve.run.claim import lock_dataset
from facesieve.run.forget import forget
from facesieve.run.open_dataset import open_dataset
from facesieve.run.write_report import write_report
from facesieve.settings import Settings
from facesieve.sieve import Policy
from handmade import sources_in
from many_faces import EACH, ManyFaces, dataset_in, pictures_in, spec_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset_in(tmp_path_factory.mktemp("made")).parent


@pytest.fixture
def dataset(made: Path, tmp_path: Path) -> Path:
    """A dataset that a test may change, beside its pictures."""
    return shutil.copytree(made, tmp_path / "copy", copy_function=shutil.copy2) / "dataset"


def kept_with(measure: dict[str, Any], low: float | None, high: float | None) -> int:
    """What the page computes for one measure; see `keptWith` in `limits.js`."""
    stops, known = measure["stops"], measure["passing"] - measure["passing_unmeasured"]
    above = known if high is None else measure["up_to"][stops.index(high)]
    return max(0, above - (0 if low is None else measure["below"][stops.index(low)]))


def test_the_counts_of_the_report_are_those_of_the_tables(dataset: Path) -> None:
    facts = report_facts(open_dataset(dataset))
    faces = pq.read_table(dataset / "faces.parquet").to_pylist()
    assert facts["counts"]["faces"] == len(faces) == 30 * EACH
    assert dict(facts["funnel"])["faces"] == len(faces)
    assert facts["funnel"][-1][1] == sum(row["kept"] for row in faces) > 0
    for measure in facts["measures"]:
        values = [(row[measure["name"]], row["kept"]) for row in faces]
        assert sum(measure["kept"]) == sum(kept and value is not None for value, kept in values)
        assert sum(measure["rejected"]) == sum(not kept and value is not None for value, kept in values)
        assert sum(measure["unmeasured"]) == sum(value is None for value, _ in values)


def test_moving_a_limit_counts_what_judging_again_keeps(dataset: Path) -> None:
    opened = open_dataset(dataset)
    measures = {one["name"]: one for one in report_facts(opened)["measures"]}
    for name, side in {"confidence": "min", "blur": "min", "sharpness": "min", "upsampling": "max"}.items():
        for stop in measures[name]["stops"][:: len(measures[name]["stops"]) // 5]:
            again = opened.rejudge(opened.policy.adjusted([f"{side}_{name}={stop!r}"])).after.kept
            low, high = (stop, None) if side == "min" else (None, stop)
            assert kept_with(measures[name], low, high) == again, f"{name} {side} {stop}"
    for size in [stop for stop in measures["yaw"]["stops"] if stop > 0][::6]:
        again = opened.rejudge(opened.policy.adjusted([f"max_yaw={size!r}"])).after.kept
        assert kept_with(measures["yaw"], -size, size) == again


def test_the_present_limits_can_be_chosen_and_keep_what_is_kept(dataset: Path) -> None:
    opened = open_dataset(dataset)
    facts = report_facts(opened)
    measures = {one["name"]: one for one in facts["measures"]}
    for rule in opened.policy.rules:
        assert kept_with(measures[rule.measure], rule.low, rule.high) == facts["counts"]["kept"] > 0


def test_faces_that_a_person_judged_do_not_move_with_a_limit(dataset: Path) -> None:
    rows = pq.read_table(dataset / "faces.parquet").to_pylist()
    kept = [row["face_id"] for row in rows if row["kept"]][:2]
    blurred = [row["face_id"] for row in rows if row["reasons"] == ["blurred"]][:2]
    effects = {kept[0]: "keep", kept[1]: "reject", blurred[0]: "keep", blurred[1]: "reject"}
    change_decisions(Layout(dataset), [Change(face, Effect(verdict), "Ada") for face, verdict in effects.items()])
    opened = open_dataset(dataset)
    facts = report_facts(opened)
    assert facts["counts"]["kept_by_hand"] == 2
    assert facts["counts"]["kept"] == opened.faces["kept"].to_pylist().count(True)
    [blur] = [one for one in facts["measures"] if one["name"] == "blur"]
    for stop in blur["stops"][::9]:
        again = opened.rejudge(opened.policy.adjusted([f"min_blur={stop!r}"])).after.kept
        assert kept_with(blur, stop, None) + 2 == again


def test_a_rule_before_one_that_compares_faces_is_said_to_be_inexact() -> None:
    from facesieve.quality import measure_named
    from facesieve.report.figures.limits import LimitCounts
    from facesieve.report.figures.scale import Scale

    policy = Policy.parse(
        {"name": "x", "rules": [{"measure": "blur", "low": 1}, {"measure": "rank_in_picture", "high": 1}]}
    )
    later = []
    for name in ("blur", "rank_in_picture", "yaw"):
        measure = measure_named(name)
        assert measure
        later.append(LimitCounts(measure, Scale((0.0, 1.0), (1.0,)), policy).as_json()["relations_later"])
    assert later == [["rank_in_picture"], [], []]


def test_the_faces_nearest_to_a_limit_are_shown_on_both_sides(dataset: Path) -> None:
    facts = report_facts(open_dataset(dataset))
    rows = pq.read_table(dataset / "faces.parquet").to_pylist()
    [blur] = [one for one in facts["nearest"] if one["measure"] == "blur"]
    kept = sorted((row["blur"] for row in rows if row["kept"]), key=lambda value: abs(value - 100))
    assert [face["value"] for face in blur["kept"]] == kept[:8]
    alone = sorted((row["blur"] for row in rows if row["reasons"] == ["blurred"]), key=lambda value: abs(value - 100))
    assert [face["value"] for face in blur["rejected"]][: len(alone)] == alone[:8]


def test_a_label_has_its_counts_its_best_and_worst_face_and_its_poses(dataset: Path) -> None:
    held = report_facts(open_dataset(dataset))["labels"]
    rows = pq.read_table(dataset / "faces.parquet").to_pylist()
    assert held["total"] == 5 and [row["label"] for row in held["rows"]] == [f"person {number}" for number in range(5)]
    for shown in held["rows"]:
        mine = [row for row in rows if row["label"] == shown["label"]]
        kept = [row for row in mine if row["kept"]]
        assert (shown["faces"], shown["kept"], sum(shown["poses"])) == (len(mine), len(kept), len(kept))
        assert shown["best"]["value"] == max(row["fitness"] for row in mine)
        assert shown["worst"]["value"] == min(row["fitness"] for row in mine)


def test_only_the_labels_with_the_most_faces_have_a_row(dataset: Path) -> None:
    held = report_facts(open_dataset(dataset), labels=2)["labels"]
    assert held["total"] == 5 and [row["label"] for row in held["rows"]] == ["person 0", "person 1"]


def test_every_face_of_the_report_has_its_thumbnail(dataset: Path) -> None:
    facts = report_facts(open_dataset(dataset))
    assert set(facts["thumbs"]) == face_ids({**facts, "thumbs": {}}) and len(facts["thumbs"]) > 20


def test_refused_pictures_are_counted_by_code_with_examples(dataset: Path) -> None:
    assert report_facts(open_dataset(dataset))["pictures"]["refused"] == [
        ["not_an_image", 1, [["person 0/notes.txt", "No pixels in these bytes."]]]
    ]


def test_the_same_dataset_has_the_same_report(dataset: Path) -> None:
    assert report_page(open_dataset(dataset)) == report_page(open_dataset(dataset))


def test_a_dataset_without_faces_has_a_report(tmp_path: Path) -> None:
    policy = Policy.preset()
    build_dataset([], tmp_path / "dataset", lambda: ManyFaces(policy), spec_of(policy))
    page = write_report(tmp_path / "dataset").read_text(encoding="utf-8")
    assert '"faces":0' in page


def test_a_dataset_without_thumbnails_has_a_report(dataset: Path) -> None:
    for thumbs in Layout(dataset).thumbs.iterdir():
        thumbs.unlink()
    assert report_facts(open_dataset(dataset))["thumbs"] == {}


def test_a_damaged_file_of_thumbnails_is_one_sentence(dataset: Path) -> None:
    path = next(iter(Layout(dataset).thumbs.iterdir()))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="damaged"):
        report_facts(open_dataset(dataset))


def test_the_report_is_a_file_of_the_dataset_that_check_knows(dataset: Path) -> None:
    page = write_report(dataset)
    assert page == dataset / "report.html"
    whole = check_dataset(dataset)
    assert not whole.faults and not whole.foreign
    page.write_bytes(page.read_bytes() + b" ")
    assert [(str(fault.code), fault.name) for fault in check_dataset(dataset).faults] == [("damaged", "report.html")]
    page.unlink()
    assert not check_dataset(dataset).faults


def test_what_is_forgotten_leaves_no_mention_in_the_report(dataset: Path) -> None:
    assert b"person 3" in write_report(dataset).read_bytes()
    forget(dataset, [], Settings(), labels=["person 3"])
    assert not (dataset / "report.html").exists() and not Layout(dataset).report_sums.exists()
    assert not check_dataset(dataset).faults
    assert b"person 3" not in write_report(dataset).read_bytes()


def test_another_build_removes_the_report(dataset: Path) -> None:
    write_report(dataset)
    policy = Policy.preset()
    sources = sources_in(pictures_in(dataset.parent / "pictures", 31))
    build_dataset(sources, dataset, lambda: ManyFaces(policy), spec_of(policy))
    assert not (dataset / "report.html").exists()


def test_a_report_can_be_written_elsewhere(dataset: Path, tmp_path: Path) -> None:
    before = sorted(dataset.iterdir())
    assert write_report(dataset, tmp_path / "elsewhere.html").stat().st_size > 500_000
    assert sorted(dataset.iterdir()) == before
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "elsewhere.html"}


def refused_output(dataset: Path, output: Path) -> str:
    with pytest.raises((UsageError, DatasetError)) as caught:
        write_report(dataset, output)
    return caught.value.code


def test_no_file_of_a_dataset_is_replaced_but_the_report(dataset: Path, made: Path) -> None:
    before = {path: path.read_bytes() for path in dataset.iterdir() if path.is_file()}
    for name in ("faces.parquet", "contact_sheet.html", "new.html", "kept/new.html", ".facesieve/new.html"):
        assert refused_output(dataset, dataset / name) == "bad_output", name
    assert refused_output(dataset, made / "dataset" / "report.html") == "bad_output", "another dataset"
    assert {path: path.read_bytes() for path in dataset.iterdir() if path.is_file()} == before
    assert write_report(dataset, dataset / "kept" / ".." / "report.html") == dataset / "report.html"
    assert not check_dataset(dataset).faults


def test_only_a_former_report_is_replaced(dataset: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    assert refused_output(dataset, mine) == "file_exists" and mine.read_text() == "mine"
    (tmp_path / "dangling.html").symlink_to(tmp_path / "nowhere.html")
    assert refused_output(dataset, tmp_path / "dangling.html") == "file_exists"
    former = write_report(dataset, tmp_path / "former.html", "zh").read_bytes()
    assert write_report(dataset, tmp_path / "former.html", "en").read_bytes() != former


def test_what_is_no_html_file_in_a_folder_is_refused(dataset: Path, tmp_path: Path) -> None:
    names = {"": "bad_output", ".": "bad_output", "report.pdf": "bad_output", "report": "bad_output"}
    assert {name: refused_output(dataset, Path(name)) for name in names} == names
    assert refused_output(dataset, dataset) == refused_output(dataset, tmp_path) == "bad_output"
    assert refused_output(dataset, tmp_path / "none" / "a.html") == "cannot_write" and not (tmp_path / "none").exists()
    assert refused_output(dataset, tmp_path / f"{'x' * 300}.html") == "cannot_write"


def test_while_a_build_is_writing_the_report_waits_for_it(dataset: Path) -> None:
    with lock_dataset(Layout(dataset)), pytest.raises(DatasetError, match="A build is writing") as caught:
        write_report(dataset)
    assert caught.value.code == "in_use"


def test_an_unfinished_dataset_is_one_sentence(dataset: Path) -> None:
    (dataset / "dataset.json").unlink()
    with pytest.raises(DatasetError, match="is unfinished"):
        write_report(dataset)


def test_a_dataset_in_a_bucket_has_to_be_pulled_first() -> None:
    with pytest.raises(UsageError, match="facesieve pull"):
        write_report(Path("s3://bucket/dataset"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_dataset_that_cannot_be_written_names_the_option(dataset: Path) -> None:
    hidden = [dataset, *(path for path in dataset.rglob("*") if path.is_dir())]
    for folder in hidden:
        folder.chmod(0o555)
    try:
        with pytest.raises(DatasetError, match="use -o FILE"):
            write_report(dataset)
    finally:
        for folder in hidden:
            folder.chmod(0o755)


def test_a_dataset_on_a_full_disk_names_the_option(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DatasetError("cannot_write", "Cannot write report.html: No space left on device.")

    monkeypatch.setattr("facesieve.run.write_report.replace_files", full)
    with pytest.raises(DatasetError, match=r"No space left on device\. To write the report elsewhere, use -o FILE\."):
        write_report(dataset)


def test_an_unknown_language_is_one_sentence_and_nothing_is_written(dataset: Path) -> None:
    with pytest.raises(UsageError, match="There is no language 'xx'"):
        write_report(dataset, language="xx")
    assert not (dataset / "report.html").exists()


def test_the_command_says_where_the_page_is(dataset: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "facesieve", "report", str(dataset), "--lang", "zh"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"look at {dataset / 'report.html'}\n", "")
    found = re.search(r'id="texts">(.*?)</script>', (dataset / "report.html").read_text(encoding="utf-8"))
    assert found and json.loads(found[1])["chosen"] == "zh"


def test_the_scripts_of_others_are_the_files_of_their_packages() -> None:
    folder = files("facesieve.report") / "plots"
    origin = tomllib.loads((folder / "origin.toml").read_text(encoding="utf-8"))
    assert {one.name for one in folder.iterdir() if one.name.endswith(".js")} == set(origin)
    for name, values in origin.items():
        data = (folder / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == values["sha256"], name
        assert values["version"].encode() in data[:100]
    assert "ISC" in {values["licence"] for values in origin.values()}
    licences = (folder / "LICENSES.txt").read_text(encoding="utf-8")
    assert all(name in licences for name in ("d3", "@observablehq/plot", "interval-tree-1d", "Mike Bostock"))
