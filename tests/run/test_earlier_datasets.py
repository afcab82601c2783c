"""Datasets of the version before `turns`, upgraded: read, judged again and continued."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from facesieve.dataset.manifests import open_manifests
from facesieve.errors import DatasetError
from facesieve.records import Measures, Verdict
from facesieve.run.build import build_dataset
from facesieve.run.rejudge import rejudge, write_rejudged
from facesieve.run.upgrade import upgrade
from facesieve.settings import Settings
from facesieve.sieve import Policy
from handmade import Handmade, build_spec, by_hand, photos, sources_in
from unnumbered import without_number


def as_before(root: Path) -> None:
    """What that version wrote: no format number, no column `turn`, no setting `turns`, no sums."""

    def without_turn(table: pa.Table) -> pa.Table:
        return table.drop_columns(["turn"])

    without_number(root, without_turn, lambda values: values["settings"].pop("turns"), without_turn, sums=False)


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    return photos(tmp_path / "heap", astronaut)


@pytest.fixture
def old(heap: Path, tmp_path: Path) -> Path:
    build_dataset(sources_in(heap), tmp_path / "old", Handmade, build_spec())
    as_before(tmp_path / "old")
    upgrade(tmp_path / "old")
    return tmp_path / "old"


def test_it_is_read_with_a_turn_that_is_not_known(old: Path) -> None:
    dataset = open_manifests(old)
    assert len(dataset.pictures) == 16
    assert set(dataset.pictures["turn"].to_pylist()) == {None}


def test_it_is_judged_again(old: Path, tmp_path: Path) -> None:
    def keep(measures: Measures) -> list[Verdict]:
        return [Verdict(True)] * len(measures["yaw"])

    dataset = open_manifests(old)
    new = rejudge(dataset, by_hand(keep))
    write_rejudged(dataset, new, tmp_path / "new", Policy.parse({"name": "all", "rules": []}), Settings())
    assert open_manifests(tmp_path / "new").about.counts.kept == len(dataset.faces)


def test_it_is_continued(old: Path, heap: Path, astronaut: Path) -> None:
    shutil.copy(astronaut, heap / "Ada" / "new.png")
    built = build_dataset(sources_in(heap), old, Handmade, build_spec(), allow_mixed_engines=True)
    assert built.progress.total == 1, "what was there is not done again"
    rows = open_manifests(old).pictures.to_pylist()
    assert {Path(row["source"]).name for row in rows if row["turn"] == 0} == {"new.png"}
    assert len(rows) == 17
    assert json.loads((old / ".facesieve" / "made.json").read_text())["settings"]["turns"] == 1


def test_it_is_not_continued_with_four_turns(old: Path, heap: Path) -> None:
    with pytest.raises(DatasetError, match=r"settings\.turns: 1 -> 4"):
        build_dataset(sources_in(heap), old, Handmade, build_spec(turns=4))
