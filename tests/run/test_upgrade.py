"""Datasets without a format number say what they need, and `upgrade` rewrites them whatever happens on the way."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facesieve.dataset.about import read_about, read_made
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.manifests import open_manifests
from facesieve.dataset.tables import schema
from facesieve.errors import DatasetError
from facesieve.records import Measures, Verdict
from facesieve.run.build import build_dataset
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.run.ledger import Ledger
from facesieve.run.rejudge import rejudge, write_rejudged
from facesieve.run.repair import repair_dataset
from facesieve.run.upgrade import upgrade
from facesieve.settings import Settings
from handmade import Handmade, build_spec, by_hand, files_in, photos, sources_in
from unnumbered import without_number

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    return photos(tmp_path / "heap", astronaut, count=6)


@pytest.fixture
def out(heap: Path, tmp_path: Path) -> Path:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec(shard_size=4))
    return tmp_path / "out"


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(DatasetError) as caught:
        call()
    assert "\n" not in caught.value.message
    return caught.value.code


def readers(root: Path, heap: Path) -> list[Callable[[], object]]:
    return [
        lambda: open_manifests(root),
        lambda: check_dataset(root),
        lambda: repair_dataset(root, Settings()),
        lambda: forget(root, ["Ada/000.png"], Settings()),
        lambda: build_dataset(sources_in(heap), root, Handmade, build_spec()),
    ]


def everything(root: Path) -> dict[str, bytes]:
    """Every file of a dataset but the lock, sums without the order of their lines."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def without_turn(table: pa.Table) -> pa.Table:
    return table.drop_columns(["turn"])


def test_an_unnumbered_dataset_says_what_to_do_to_all_that_read_it_and_stays_as_it_is(out: Path, heap: Path) -> None:
    without_number(out)
    before = everything(out)
    for reader in readers(out, heap):
        assert code_of(reader) == "older_format"
    assert everything(out) == before


def test_the_sentence_names_the_command(run: Run, out: Path) -> None:
    without_number(out)
    said = f"error: {out} was written by an earlier version. Run `facesieve upgrade {out}` to use it. [older_format]\n"
    for command in (["explain", out, "abc"], ["sieve", out], ["check", out], ["check", out, "--repair"]):
        assert run(*command) == (2, "", said)
    assert run("upgrade", out) == (0, f"{out} now has the format of this version\n", "")
    assert run("upgrade", out) == (0, f"{out} needs no upgrade\n", "")
    assert run("check", out)[0] == 0


def test_a_newer_format_is_told_and_never_touched(out: Path, heap: Path) -> None:
    layout = Layout(out)
    layout.published_sums.unlink()
    for path in (layout.about, layout.made):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    before = everything(out)
    for reader in [*readers(out, heap), lambda: upgrade(out)]:
        assert code_of(reader) == "newer_format"
    assert everything(out) == before


@pytest.mark.parametrize("wrong", ["1", 1.0, True, 0, -1, [1]])
def test_a_number_that_is_none_is_damage(out: Path, wrong: object) -> None:
    Layout(out).published_sums.unlink()
    Layout(out).about.write_text(json.dumps(json.loads(Layout(out).about.read_text()) | {"format": wrong}))
    assert code_of(lambda: open_manifests(out)) == "damaged_dataset"


def test_a_part_of_an_earlier_version_is_not_continued(out: Path, heap: Path) -> None:
    """An earlier FaceSieve that is run on a dataset of today adds parts without a number."""
    [first, *_] = Ledger(Layout(out)).numbers()
    path = Layout(out).part(first)
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    Layout(out).sums_of(first).unlink()
    Layout(out).published_sums.unlink()
    assert code_of(lambda: build_dataset(sources_in(heap), out, Handmade, build_spec())) == "older_format"
    assert code_of(lambda: check_dataset(out)) == "older_format"
    assert upgrade(out)
    assert build_dataset(sources_in(heap), out, Handmade, build_spec()).progress.total == 0


@pytest.mark.parametrize("sums", [True, False])
def test_an_upgraded_dataset_is_the_one_that_this_version_would_have_made(out: Path, heap: Path, sums: bool) -> None:
    before, rows = files_in(out), list(Ledger(Layout(out)).tables())
    without_number(out, part=without_turn, pictures=without_turn, sums=sums)
    assert upgrade(out)
    after = files_in(out)
    assert {name for name in before if before[name] != after[name]} <= {"dataset.json", "pictures.parquet"}
    assert set(pq.read_table(out / "pictures.parquet")["turn"].to_pylist()) == {None}
    assert [table.drop_columns(["turn"]) for table in Ledger(Layout(out)).tables()] == [
        table.drop_columns(["turn"]) for table in rows
    ]
    report = check_dataset(out)
    assert report.faults == () and (report.without_sum == 0) == sums
    assert not upgrade(out)
    assert build_dataset(sources_in(heap), out, Handmade, build_spec(), allow_mixed_engines=True).progress.total == 0
    assert files_in(out).keys() == before.keys()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("sums", [True, False])
def test_stopped_at_any_sync_it_goes_on_and_nobody_reads_half_of_it(
    out: Path, heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sums: bool
) -> None:
    without_number(out, part=without_turn, pictures=without_turn, sums=sums)
    whole = tmp_path / "whole"
    shutil.copytree(out, whole)
    upgrade(whole)
    sync, syncs = os.fsync, 0

    def mortal(descriptor: int) -> None:
        nonlocal syncs
        syncs -= 1
        if syncs == 0:
            raise Killed
        sync(descriptor)

    for at in range(1, 200, 1 if sums else 5):
        again = tmp_path / f"{at}"
        shutil.copytree(out, again)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", mortal)
            syncs = at
            try:
                upgrade(again)
                break
            except Killed:
                pass
        try:
            open_manifests(again)
            ended = True
        except DatasetError as error:
            assert error.code == "older_format"
            ended = False
        assert code_of(lambda root=again: check_dataset(root)) == "older_format" if not ended else True
        upgrade(again)
        assert files_in(again) == files_in(whole)
        assert check_dataset(again).faults == ()
        assert list(Ledger(Layout(again)).tables()) == list(Ledger(Layout(whole)).tables())
        shutil.rmtree(again)
    assert at > 10


def test_what_was_damaged_is_damaged_afterwards_too(out: Path, heap: Path) -> None:
    without_number(out)
    part = Layout(out).part(0)
    data = bytearray(part.read_bytes())
    data[40] ^= 1
    part.write_bytes(data)
    table = out / "pictures.parquet"
    data = bytearray(table.read_bytes())
    data[40] ^= 1
    table.write_bytes(data)
    assert upgrade(out)
    assert {(fault.code, fault.name) for fault in check_dataset(out).faults} >= {
        ("damaged", ".facesieve/parts/00000000.parquet"),
        ("damaged", "pictures.parquet"),
    }
    repair_dataset(out, Settings())
    build_dataset(sources_in(heap), out, Handmade, build_spec(), allow_mixed_engines=True)
    assert check_dataset(out).faults == ()


@pytest.mark.parametrize("name", ["dataset.json", ".facesieve/made.json"])
def test_one_of_the_two_files_is_enough_to_upgrade_and_repair(out: Path, heap: Path, name: str) -> None:
    without_number(out, sums=False)
    (out / name).write_text("{")
    assert upgrade(out)
    assert [fault.name for fault in check_dataset(out).faults] == [name]
    assert repair_dataset(out, Settings()).faults == ()
    assert build_dataset(sources_in(heap), out, Handmade, build_spec(), allow_mixed_engines=True).progress.total == 0


@pytest.mark.parametrize("text", ["{}", '{"settings": 3}', '{"settings": {}, "versions": []}', "[]", "{"])
def test_what_says_nothing_of_its_making_is_not_upgraded(out: Path, text: str) -> None:
    without_number(out, sums=False)
    for path in (Layout(out).about, Layout(out).made):
        path.write_text(text)
    before = everything(out)
    assert code_of(lambda: upgrade(out)) == "damaged_dataset"
    assert everything(out) == before


def test_a_dataset_that_was_judged_again_is_upgraded(out: Path, tmp_path: Path) -> None:
    dataset = open_manifests(out)

    def keep(measures: Measures) -> list[Verdict]:
        return [Verdict(True)] * len(measures["yaw"])

    write_rejudged(dataset, rejudge(dataset, by_hand(keep)), tmp_path / "new", build_spec().policy, Settings())
    without_number(tmp_path / "new", pictures=without_turn)
    assert code_of(lambda: open_manifests(tmp_path / "new")) == "older_format"
    assert upgrade(tmp_path / "new")
    assert open_manifests(tmp_path / "new").about.counts.kept == len(dataset.faces)
    assert check_dataset(tmp_path / "new").faults == ()


def test_an_unfinished_dataset_is_upgraded_and_finished(out: Path, heap: Path) -> None:
    without_number(out)
    Layout(out).about.unlink()
    assert upgrade(out)
    assert code_of(lambda: open_manifests(out)) == "unfinished"
    assert build_dataset(sources_in(heap), out, Handmade, build_spec(), allow_mixed_engines=True).progress.total == 0
    assert read_about(Layout(out)).origin == read_made(Layout(out))


def test_what_is_no_dataset_is_not_upgraded_and_not_touched(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "nowhere"):
        assert code_of(lambda root=root: upgrade(root)) == "not_a_dataset"
    assert list(tmp_path.iterdir()) == []


def test_a_column_that_came_later_reads_as_null_in_older_parts(
    out: Path, heap: Path, astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Today's `turn` and a face's `file_name` stand for columns that a later version adds to format 1."""
    layout = Layout(out)
    for number in layout.numbers(layout.parts):
        rows = pq.read_table(layout.part(number)).to_pylist()
        fields = [field for field in schema.face_fields(build_spec().measures) if field.name != "file_name"]
        for row in rows:
            del row["turn"]
            row["faces"] = [{f.name: face[f.name] for f in fields} for face in row["faces"]]
        columns = [f for f in schema.part_schema(build_spec().measures) if f.name not in ("turn", "faces")]
        older = pa.schema([*columns, pa.field("faces", pa.list_(pa.struct(fields)))], metadata={"format": "1"})
        pq.write_table(pa.Table.from_pylist(rows, schema=older), layout.part(number))
    shutil.rmtree(layout.sums)
    assert code_of(lambda: build_dataset(sources_in(heap), out, Handmade, build_spec())) == "damaged_dataset"
    monkeypatch.setattr(schema, "LATER", ("turn", "file_name"))
    shutil.copy(astronaut, heap / "Ada" / "new.png")
    build_dataset(sources_in(heap), out, Handmade, build_spec())
    dataset = open_manifests(out)
    turns = {row["source"]: row["turn"] for row in dataset.pictures.to_pylist()}
    assert {source for source, turn in turns.items() if turn is not None} <= {"Ada/new.png"}
    assert turns["Ada/new.png"] == 0 and len(turns) > 1
    assert {row["file_name"] for row in dataset.faces.to_pylist() if row["source"] != "Ada/new.png"} == {None}
