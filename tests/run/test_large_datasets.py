"""Above `manifest_rows` a manifest is a folder of files: everything that reads and writes datasets takes both alike."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.manifests import open_manifests
from facesieve.dataset.tables.manifest_writer import ManifestWriter
from facesieve.errors import DatasetError, UsageError
from facesieve.records import Measures, Verdict
from facesieve.report.explain import explain_face
from facesieve.run.build import build_dataset
from facesieve.run.build_result import BuildResult
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.run.rejudge import rejudge, write_rejudged
from facesieve.run.repair import repair_dataset
from facesieve.settings import Settings
from handmade import Handmade, build_spec, by_hand, files_in, sources_in

EVERYTHING = Outputs(keep_rejected=True, cuts=("face",), marked=True)
SMALL = Settings(manifest_rows=5)
FACES, PICTURES = "faces.parquet", "pictures.parquet"
ID = re.compile(rb'"id":"[0-9a-f]{12}"')


def made(heap: Path, root: Path, rows: int, some: slice = slice(None)) -> BuildResult:
    return build_dataset(
        sources_in(heap)[some], root, Handmade, build_spec(EVERYTHING, shard_size=5, manifest_rows=rows)
    )


@pytest.fixture(scope="module")
def usual(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("usual") / "out"
    made(heap, root, 1000)
    return root


@pytest.fixture(scope="module")
def large(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("large") / "out"
    made(heap, root, 5)
    return root


@pytest.fixture
def out(large: Path, tmp_path: Path) -> Path:
    return shutil.copytree(large, tmp_path / "out")


def names(root: Path, manifest: str) -> list[str]:
    return sorted(path.name for path in (root / manifest).iterdir())


def test_a_manifest_of_many_rows_is_a_folder_and_every_reader_sees_the_same_rows(usual: Path, large: Path) -> None:
    for manifest in (FACES, PICTURES):
        whole = pq.read_table(usual / manifest)
        count = -(-len(whole) // 5)
        assert count > 2
        assert names(large, manifest) == [f"part-{number:05d}.parquet" for number in range(count)]
        sizes = [pq.read_metadata(large / manifest / name).num_rows for name in names(large, manifest)]
        assert sizes == [5] * (count - 1) + [len(whole) - 5 * (count - 1)]
        assert pq.read_table(large / manifest).equals(whole)
        assert pd.read_parquet(large / manifest).equals(pd.read_parquet(usual / manifest))
    assert open_manifests(large).faces.equals(open_manifests(usual).faces)
    assert open_manifests(large).pictures.equals(open_manifests(usual).pictures)


def test_duckdb_reads_a_folder_of_files(usual: Path, large: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    ids = "select face_id from read_parquet('{}') order by source, box_x"
    some, others = (duckdb.sql(ids.format(path)).fetchall() for path in (usual / FACES, large / FACES / "*.parquet"))
    assert some == others and len(some) > 5


def test_all_other_files_are_as_usual(usual: Path, large: Path) -> None:
    def others(root: Path) -> dict[str, bytes]:
        found = {name: data for name, data in files_in(root).items() if not name.startswith((FACES, PICTURES))}
        found["contact_sheet.html"] = ID.sub(b"", found["contact_sheet.html"])  # it is made from the manifests
        return found

    assert others(large) == others(usual)


def test_a_dataset_grows_over_the_limit_and_shrinks_under_it(heap: Path, usual: Path, large: Path, out: Path) -> None:
    root = out.parent / "growing"
    made(heap, root, 5, slice(2))
    assert (root / FACES).is_file() and (root / PICTURES).is_file()
    made(heap, root, 5)
    assert files_in(root) == files_in(large)
    made(heap, root, 1000)
    assert files_in(root) == files_in(usual)
    made(heap, root, 5)
    assert files_in(root) == files_in(large)
    assert check_dataset(root).faults == ()
    assert not (root / ".facesieve" / "scratch").exists()


def test_exactly_the_limit_is_one_file(heap: Path, usual: Path, tmp_path: Path) -> None:
    rows = len(pq.read_table(usual / PICTURES))
    made(heap, tmp_path / "at", rows)
    assert (tmp_path / "at" / PICTURES).read_bytes() == (usual / PICTURES).read_bytes()
    made(heap, tmp_path / "above", rows - 1)
    assert names(tmp_path / "above", PICTURES) == ["part-00000.parquet", "part-00001.parquet"]


@pytest.mark.parametrize("steps", [[0], [1], [3], [1, 7, 2], [100]])
def test_how_rows_are_added_changes_no_byte(usual: Path, tmp_path: Path, steps: list[int]) -> None:
    rows = open_manifests(usual).faces
    manifest = ManifestWriter(tmp_path / FACES, rows.schema, tmp_path / "scratch", 1000)
    start = 0
    while start < len(rows):
        for step in steps:
            manifest.add(rows.slice(start, step or len(rows)))
            start += step or len(rows)
    manifest.finish()
    manifest.publish()
    assert (tmp_path / FACES).read_bytes() == (usual / FACES).read_bytes()
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("rows", [0, 1, 70_000])
def test_a_manifest_has_groups_of_65536_rows(tmp_path: Path, rows: int) -> None:
    table = pa.table({"n": pa.array(range(rows), pa.int64())})
    manifest = ManifestWriter(tmp_path / "n.parquet", table.schema, tmp_path / "scratch")
    for start in range(0, rows, 999):
        manifest.add(table.slice(start, 999))
    manifest.finish()
    manifest.publish()
    held = pq.ParquetFile(tmp_path / "n.parquet")
    groups = [held.metadata.row_group(number).num_rows for number in range(held.num_row_groups)]
    assert groups == [count for count in (min(rows, 65_536), rows - 65_536) if count > 0]
    assert held.read().equals(table)


def test_explain_finds_a_face_of_any_file(out: Path) -> None:
    dataset = open_manifests(out)
    for row in (dataset.faces.slice(0, 1), dataset.faces.slice(len(dataset.faces) - 1)):
        face_id = row["face_id"][0].as_py()
        assert explain_face(dataset, face_id[:12]).face.face_id == face_id
    with pytest.raises(UsageError) as caught:
        explain_face(dataset, "")
    assert caught.value.code == "ambiguous_face"


def narrow(measures: Measures) -> list[Verdict]:
    return [Verdict(yaw <= 50, () if yaw <= 50 else ("turned",)) for yaw in measures["yaw"]]


def test_judging_again_takes_both_and_writes_both(usual: Path, out: Path, tmp_path: Path) -> None:
    datasets = {}
    for name, root, settings in (("usual", usual, Settings()), ("large", out, SMALL)):
        dataset = open_manifests(root)
        new = rejudge(dataset, by_hand(narrow))
        write_rejudged(dataset, new, tmp_path / name, build_spec().policy, settings)
        datasets[name] = open_manifests(tmp_path / name)
        assert check_dataset(tmp_path / name).faults == ()
        assert 0 < new.after.kept < new.after.faces
    assert (tmp_path / "large" / FACES).is_dir() and (tmp_path / "usual" / FACES).is_file()
    assert datasets["large"].faces.equals(datasets["usual"].faces)
    assert datasets["large"].pictures.equals(datasets["usual"].pictures)


def test_a_judge_sees_some_faces_at_a_time_and_the_numbers_are_the_same(
    usual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rejudge(open_manifests(usual), by_hand(narrow))
    monkeypatch.setattr("facesieve.dataset.manifests.BLOCK", 4)
    seen = []

    def noting(measures: Measures) -> list[Verdict]:
        seen.append(len(measures["yaw"]))
        return narrow(measures)

    parts = rejudge(open_manifests(usual), by_hand(noting))
    assert max(seen) < sum(seen) == whole.after.faces
    assert (parts.before, parts.after, parts.newly_kept) == (whole.before, whole.after, whole.newly_kept)
    assert parts.faces.equals(whole.faces) and parts.pictures.equals(whole.pictures)


def test_forgetting_leaves_the_dataset_without_it(heap: Path, out: Path, tmp_path: Path) -> None:
    forget(out, ["Grace/002.png"], SMALL)
    sources = [source for source in sources_in(heap) if source.name != "Grace/002.png"]
    build_dataset(sources, tmp_path / "never", Handmade, build_spec(EVERYTHING, shard_size=5, manifest_rows=5))
    assert files_in(out) == files_in(tmp_path / "never")
    assert check_dataset(out).faults == ()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [Path.unlink, flip, shutil.rmtree])
@pytest.mark.parametrize("manifest", [FACES, PICTURES])
def test_damage_in_one_of_the_files_is_told_and_repaired(
    large: Path, out: Path, damage: Callable[[Path], None], manifest: str
) -> None:
    path = out / manifest / "part-00001.parquet"
    damage(path.parent if damage is shutil.rmtree else path)
    with pytest.raises(DatasetError) as caught:
        open_manifests(out)
    assert caught.value.code == ("damaged_dataset" if damage is flip else "not_a_dataset")
    told = {fault.name for fault in check_dataset(out).faults}
    assert path.relative_to(out).as_posix() in told and all(name.startswith(manifest) for name in told)
    assert repair_dataset(out, SMALL).faults == ()
    assert files_in(out) == files_in(large)


def test_a_file_too_many_is_told(out: Path) -> None:
    shutil.copy(out / FACES / "part-00000.parquet", out / FACES / "part-00099.parquet")
    with pytest.raises(DatasetError, match="part-00099"):
        open_manifests(out)
    assert [str(fault.code) for fault in check_dataset(out).faults] == ["outdated"]
    assert repair_dataset(out, SMALL).faults == ()


def test_other_files_in_the_folder_are_not_ours(out: Path) -> None:
    (out / FACES / ".DS_Store").write_bytes(b"x")
    assert check_dataset(out).faults == ()
    assert len(open_manifests(out).faces) > 5


@pytest.mark.parametrize("before", [5, 1000])
@pytest.mark.parametrize("after", [5, 1000])
@pytest.mark.parametrize("stop", range(1, 6))
def test_stopped_at_any_step_of_taking_its_place_it_is_told_and_continued(
    heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, after: int, stop: int
) -> None:
    """Steps are renames of published files; a reader never sees rows of two builds in one manifest."""
    root, calls = tmp_path / "out", 0
    made(heap, root, before, slice(8))
    made(heap, tmp_path / "fresh", after)
    either = {name: [pq.read_table(one / name) for one in (root, tmp_path / "fresh")] for name in (FACES, PICTURES)}

    def stopping(rename: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def wrapped(self: Path, target: Path) -> Path:
            nonlocal calls
            if {self.name, Path(target).name} & {FACES, PICTURES}:
                calls += 1
                if calls == stop:
                    raise KeyboardInterrupt
            return rename(self, target)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stopping(Path.rename))
        patch.setattr(Path, "replace", stopping(Path.replace))
        try:
            made(heap, root, after)
        except KeyboardInterrupt:
            for manifest, tables in either.items():
                assert not (root / manifest).exists() or any(map(pq.read_table(root / manifest).equals, tables))
    made(heap, root, after)
    assert files_in(root) == files_in(tmp_path / "fresh")
    assert check_dataset(root).faults == ()


LOAD = """
import sys
from datasets import load_dataset
rows = load_dataset("imagefolder", data_dir=sys.argv[1])["train"]
print(*sorted(row["face_id"] for row in rows))
"""


@pytest.mark.parametrize("data_dir", ["", "kept"])
def test_imagefolder_loads_the_kept_faces(large: Path, tmp_path: Path, data_dir: str) -> None:
    env = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", LOAD, os.fspath(large / data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    faces = open_manifests(large).faces
    assert done.stdout.split() == sorted(faces.filter(faces["kept"])["face_id"].to_pylist())
