from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.manifests import Manifests, open_manifests
from facesieve.dataset.tables.merge import Block
from facesieve.errors import DatasetError
from facesieve.records import Measures, Verdict
from facesieve.run.build import build_dataset
from facesieve.run.publish import publish_dataset
from facesieve.run.rejudge import rejudge, write_rejudged
from facesieve.settings import Settings
from facesieve.sieve import Policy
from handmade import Handmade, build_spec, by_hand, files_in, photos, sources_in
from page_facts import facts_of

POLICY = Policy.parse({"name": "other", "rules": [{"measure": "yaw", "low": -50, "high": 50, "reason": "turned"}]})


def facing(measures: Measures) -> list[Verdict]:
    """A face is kept when its yaw was measured and is at most 50; the measures come as NaN where they are null."""
    turned = np.isnan(measures["yaw"]) | (measures["yaw"] > 50)
    return [Verdict(not away, ("turned",) if away else ()) for away in turned]


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    return photos(tmp_path / "heap", astronaut)


def built(heap: Path, root: Path, outputs: Outputs) -> Manifests:
    build_dataset(sources_in(heap), root, Handmade, build_spec(outputs))
    return open_manifests(root)


def test_new_verdicts_follow_from_the_raw_numbers(heap: Path, tmp_path: Path) -> None:
    dataset = built(heap, tmp_path / "out", Outputs())
    new = rejudge(dataset, by_hand(facing))
    before, after = dataset.faces.to_pylist(), new.faces.to_pylist()
    assert [row["kept"] for row in after] == [row["yaw"] is not None and row["yaw"] <= 50 for row in before]
    assert [row["reasons"] for row in after] == [[] if row["kept"] else ["turned"] for row in after]
    both = list(zip(before, after, strict=True))
    assert new.newly_kept == sum(now["kept"] and not was["kept"] for was, now in both) > 0
    assert new.newly_rejected == sum(was["kept"] and not now["kept"] for was, now in both) > 0
    assert new.after.kept - new.before.kept == new.newly_kept - new.newly_rejected
    assert new.without_crop == new.newly_kept, "rejected crops were not written"
    assert [row["kept"] for row in new.pictures.to_pylist()] == [
        sum(face["kept"] for face in after if face["source"] == row["source"]) for row in new.pictures.to_pylist()
    ]


def test_a_new_dataset_has_the_crops_and_the_old_one_stays(heap: Path, tmp_path: Path) -> None:
    dataset = built(heap, tmp_path / "out", Outputs(True, ("head",), True))
    before = files_in(tmp_path / "out")
    new = rejudge(dataset, by_hand(facing))
    write_rejudged(dataset, new, tmp_path / "new", POLICY, Settings())
    assert files_in(tmp_path / "out") == before
    assert new.without_crop == 0
    files = files_in(tmp_path / "new")
    rows = {
        (row["label"], row["face_id"]): row for row in pq.read_table(tmp_path / "new" / "faces.parquet").to_pylist()
    }
    crops = {name for name in files if name.endswith(".png")}
    assert crops == {row["file_name"] for row in rows.values()}
    assert {name.split("/")[0] for name in crops} == {"kept", "rejected"}
    for was in dataset.faces.to_pylist():
        assert files[rows[was["label"], was["face_id"]]["file_name"]] == before[was["file_name"]]
    assert not [name for name in files if name.startswith("marked/")]
    assert len([name for name in files if name.startswith("crops/head/")]) == len(crops)
    again = open_manifests(tmp_path / "new")
    assert (again.about.origin.policy.as_json(), again.about.counts) == (POLICY.describe(), new.after)
    thumbs = facts_of(files["contact_sheet.html"])["thumbs"]
    assert set(thumbs) == {face for _, face in rows}, "rejected faces keep their small pictures"


def test_the_same_rules_give_the_same_manifests_as_a_build(heap: Path, tmp_path: Path) -> None:
    dataset = built(heap, tmp_path / "out", Outputs(keep_rejected=True))
    rows = dataset.faces.to_pylist()
    new = rejudge(dataset, by_hand(lambda measures: [Verdict(row["kept"], tuple(row["reasons"])) for row in rows]))
    write_rejudged(dataset, new, tmp_path / "new", build_spec().policy, Settings())
    assert files_in(tmp_path / "new") == files_in(tmp_path / "out")


def test_what_has_no_ledger_cannot_be_built_on_but_judged_again(heap: Path, tmp_path: Path) -> None:
    dataset = built(heap, tmp_path / "out", Outputs())
    write_rejudged(dataset, rejudge(dataset, by_hand(facing)), tmp_path / "new", POLICY, Settings())
    with pytest.raises(DatasetError) as caught:
        build_dataset(sources_in(heap), tmp_path / "new", Handmade, build_spec())
    assert caught.value.code == "not_continuable"
    assert rejudge(open_manifests(tmp_path / "new"), by_hand(facing)).newly_kept == 0


def test_the_new_folder_must_be_new(heap: Path, tmp_path: Path) -> None:
    dataset = built(heap, tmp_path / "out", Outputs())
    before = files_in(tmp_path / "out")
    with pytest.raises(DatasetError, match="Name a new folder"):
        write_rejudged(dataset, rejudge(dataset, by_hand(facing)), tmp_path / "out", POLICY, Settings())
    assert files_in(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("missing", "code"), [("dataset.json", "unfinished"), ("faces.parquet", "not_a_dataset"), ("", "not_a_dataset")]
)
def test_what_is_no_dataset_is_one_sentence(heap: Path, tmp_path: Path, missing: str, code: str) -> None:
    built(heap, tmp_path / "out", Outputs())
    if missing:
        (tmp_path / "out" / missing).unlink()
    with pytest.raises(DatasetError) as caught:
        open_manifests(tmp_path / "out" if missing else tmp_path / "nowhere")
    assert caught.value.code == code


def test_files_that_do_not_fit_are_one_sentence(heap: Path, tmp_path: Path) -> None:
    built(heap, tmp_path / "out", Outputs())
    (tmp_path / "out" / "faces.parquet").write_bytes((tmp_path / "out" / "pictures.parquet").read_bytes())
    with pytest.raises(DatasetError, match=r"faces\.parquet is damaged"):
        open_manifests(tmp_path / "out")
    (tmp_path / "out" / ".facesieve" / "sums" / "published.txt").unlink()
    with pytest.raises(DatasetError, match="do not match"):
        open_manifests(tmp_path / "out")
    (tmp_path / "out" / "faces.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DatasetError, match="damaged"):
        open_manifests(tmp_path / "out")


def test_a_hundred_thousand_faces_are_judged_in_seconds(heap: Path, tmp_path: Path) -> None:
    dataset = built(heap, tmp_path / "out", Outputs())
    few = rejudge(dataset, by_hand(facing))
    faces, pictures = dataset.faces, dataset.pictures
    copies = -(-100_000 // len(faces))
    publish_dataset((Block(faces, pictures) for _ in range(copies)), dataset.layout, dataset.about.origin, Settings())
    many = open_manifests(tmp_path / "out")
    started = time.process_time()
    new = rejudge(many, by_hand(facing))
    assert time.process_time() - started < 5
    assert new.after.faces == len(faces) * copies >= 100_000
    assert new.newly_kept == copies * few.newly_kept
