"""Crops in tar files (`--crops-as shards`): whatever builds, changes or reads a dataset takes them like files."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from PIL import Image

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.tar import is_intact
from facesieve.errors import DatasetError
from facesieve.records import Measures, Verdict
from facesieve.run.build import build_dataset
from facesieve.run.build_result import BuildResult
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.run.open_dataset import open_dataset
from facesieve.run.rejudge import rejudge, write_rejudged
from facesieve.run.repair import repair_dataset
from facesieve.settings import Settings
from facesieve.sieve import Policy
from handmade import Handmade, build_spec, by_hand, files_in, photos, sources_in
from page_facts import facts_of

EVERYTHING = Outputs(keep_rejected=True, cuts=("face", "head"), marked=True)
IN_TARS = Outputs(keep_rejected=True, cuts=("face", "head"), marked=True, tar_bytes=100_000)
KEPT_IN_TARS = Outputs(tar_bytes=100_000)
POLICY = Policy.parse({"name": "other", "rules": [{"measure": "yaw", "low": -50, "high": 50, "reason": "turned"}]})


def facing(measures: Measures) -> list[Verdict]:
    turned = np.isnan(measures["yaw"]) | (measures["yaw"] > 50)
    return [Verdict(not away, ("turned",) if away else ()) for away in turned]


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return photos(tmp_path_factory.mktemp("heap"), astronaut, count=40)


def run(
    heap: Path,
    root: Path,
    outputs: Outputs = IN_TARS,
    some: slice = slice(None),
    allow_again: bool = False,
    **settings: object,
) -> BuildResult:
    spec = build_spec(outputs, shard_size=5, **settings)
    return build_dataset(sources_in(heap)[some], root, Handmade, spec, allow_again=allow_again)


@pytest.fixture(scope="module")
def whole(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with everything in tar files. Tests must not change it."""
    root = tmp_path_factory.mktemp("whole") / "out"
    run(heap, root)
    return root


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "copy", dirs_exist_ok=True)


def tars(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in files_in(root).items() if name.endswith(".tar")}


def members(root: Path) -> dict[str, bytes]:
    """All members of all tar files, read by Python's own reader."""
    found: dict[str, bytes] = {}
    for name in tars(root):
        with tarfile.open(root / name, encoding="utf-8") as tar:
            for member in tar:
                assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
                stream = tar.extractfile(member)
                assert stream and member.name not in found
                found[member.name] = stream.read()
    return found


def test_tar_files_hold_the_crops_that_files_would_hold(heap: Path, whole: Path, tmp_path: Path) -> None:
    run(heap, tmp_path / "files", EVERYTHING)
    before, after = files_in(tmp_path / "files"), files_in(whole)
    inside = members(whole)
    crops = {name: data for name, data in before.items() if name.split("/")[0] in ("kept", "rejected", "crops")}
    crops.pop("kept/metadata.parquet")
    assert len(tars(whole)) > 3
    assert sorted(inside.values()) == sorted(crops.values())
    for name, data in crops.items():
        top, *place = name.split("/")
        what = f".{place.pop(0)}.jpg" if top == "crops" else ".png"
        assert inside[f"{place[0]}/{place[1].partition('.')[0]}{what}"] == data
    marked = {name: data for name, data in before.items() if name.startswith("marked/")}
    assert marked and marked == {name: data for name, data in after.items() if name.startswith("marked/")}
    assert not [name for name in after if name.startswith(("kept/", "rejected/", "crops/"))]
    was, now = open_dataset(tmp_path / "files"), open_dataset(whole)
    assert now.faces.drop_columns(["file_name", "shard", "offset", "size"]).equals(was.faces.drop_columns("file_name"))
    assert now.pictures.equals(was.pictures)
    assert list(now.crops(now.faces)) == list(was.crops(was.faces))
    assert (
        "crops_as" not in before["dataset.json"].decode() and '"crops_as": "shards"' in after["dataset.json"].decode()
    )


def test_each_row_says_where_its_crop_is(whole: Path) -> None:
    dataset = open_dataset(whole)
    for row in dataset.faces.to_pylist():
        data = (whole / row["shard"]).read_bytes()[row["offset"] : row["offset"] + row["size"]]
        assert Image.open(io.BytesIO(data)).size == (112, 112)
        with tarfile.open(whole / row["shard"]) as tar:
            member = tar.getmember(row["file_name"])
            assert (member.offset_data, member.size) == (row["offset"], row["size"])
    one = dataset.faces.to_pylist()[0]
    explained = "\n".join(dataset.explain(one["face_id"]).lines())
    assert f"crop     {one['shard']}: {one['file_name']}" in explained
    assert dataset.explain(one["face_id"]).as_json()["face"]["offset"] == one["offset"]
    assert set(facts_of(whole / "contact_sheet.html")["thumbs"]) == set(dataset.faces["face_id"].to_pylist())


@pytest.mark.parametrize("workers", [1, 2])
def test_the_bytes_do_not_depend_on_workers_shards_or_order(
    heap: Path, whole: Path, tmp_path: Path, workers: int
) -> None:
    out, sources = tmp_path / "out", sources_in(heap)
    for some in (sources[20:31], sources[::3], sources[::-1]):
        build_dataset(some, out, Handmade, build_spec(IN_TARS, workers=workers, shard_size=workers * 2))
    assert files_in(out) == files_in(whole)
    assert not list((out / ".facesieve" / "crops").iterdir())


def test_adding_one_picture_replaces_few_tar_files(heap: Path, tmp_path: Path) -> None:
    small = Outputs(keep_rejected=True, tar_bytes=60_000)
    everything = sources_in(heap)
    build_dataset(everything[1:], tmp_path / "out", Handmade, build_spec(small))
    before = {name: (tmp_path / "out" / name).stat().st_ino for name in tars(tmp_path / "out")}
    build_dataset(everything, tmp_path / "out", Handmade, build_spec(small))
    after = {name: (tmp_path / "out" / name).stat().st_ino for name in tars(tmp_path / "out")}
    assert len(before) > 8
    assert len(before.items() - after.items()) <= 3


def test_a_rejudged_dataset_shares_the_tar_files(heap: Path, whole: Path, tmp_path: Path) -> None:
    dataset = open_dataset(whole)
    new = rejudge(dataset, by_hand(facing))
    assert new.newly_kept and new.newly_rejected and not new.without_crop
    write_rejudged(dataset, new, tmp_path / "new", POLICY, Settings())
    assert {(tmp_path / "new" / name).stat().st_ino for name in tars(whole)} == {
        (whole / name).stat().st_ino for name in tars(whole)
    }
    again = open_dataset(tmp_path / "new")
    assert list(again.crops(again.faces)) == list(dataset.crops(dataset.faces))
    assert check_dataset(tmp_path / "new").faults == ()
    name = min(tars(whole))
    (tmp_path / "new" / name).unlink()
    assert [fault.name for fault in check_dataset(tmp_path / "new").faults] == [name]


def test_a_face_that_was_rejected_before_the_build_wrote_crops_has_none(heap: Path, tmp_path: Path) -> None:
    run(heap, tmp_path / "out", KEPT_IN_TARS)
    dataset = open_dataset(tmp_path / "out")
    assert set(pc.is_valid(dataset.faces["shard"]).to_pylist()) == {True, False}
    assert dataset.faces["kept"].to_pylist() == pc.is_valid(dataset.faces["shard"]).to_pylist()
    new = rejudge(dataset, by_hand(facing))
    assert new.without_crop == new.newly_kept > 0
    write_rejudged(dataset, new, tmp_path / "new", POLICY, Settings())
    assert check_dataset(tmp_path / "new").faults == ()


def test_a_forgotten_face_leaves_no_byte(copy: Path) -> None:
    face = open_dataset(copy).faces.to_pylist()[7]
    dataset = open_dataset(copy)
    crop = next(data for data in dataset.crops(dataset.faces.slice(7, 1)))
    assert crop and any(crop in data for data in tars(copy).values())
    before = tars(copy)
    forget(copy, [face["face_id"]], Settings())
    after = tars(copy)
    assert not any(crop in path.read_bytes() for path in copy.rglob("*") if path.is_file())
    assert 0 < len(before.items() - after.items()) <= 4
    assert not any(face["face_id"] in name for name in members(copy))
    assert check_dataset(copy).faults == ()


def test_forgotten_and_built_again_is_the_same_dataset(heap: Path, copy: Path, whole: Path) -> None:
    forget(copy, [], Settings(), ["Ada"])
    assert {name.split("/")[0] for name in members(copy)} == {"Grace"}
    run(heap, copy, allow_again=True)
    assert files_in(copy) == files_in(whole)


def test_a_build_makes_a_missing_or_truncated_tar_file_again(heap: Path, copy: Path, whole: Path) -> None:
    first, second, *_ = sorted(tars(copy))
    (copy / first).unlink()
    with (copy / second).open("r+b") as stream:
        stream.truncate(70_000)
    result = run(heap, copy)
    assert len(result.damaged) > 2
    assert files_in(copy) == files_in(whole)
    assert check_dataset(copy).faults == ()


def test_a_build_without_the_pictures_says_which_crops_are_lost(heap: Path, copy: Path) -> None:
    name = min(tars(copy))
    lost = [row["file_name"] for row in open_dataset(copy).faces.to_pylist() if row["shard"] == name]
    (copy / name).unlink()
    with pytest.raises(DatasetError) as caught:
        run(heap, copy, some=slice(0, 1))
    assert caught.value.code == "missing_files" and f"{len(lost)} file" in caught.value.message
    rows = {row["file_name"] or row["face_id"] for row in open_dataset(copy).faces.to_pylist()}
    assert not rows & set(lost)


@pytest.mark.parametrize("place", ["pixels", "header", "filling", "end"])
def test_a_flipped_bit_is_found_and_repaired(heap: Path, copy: Path, whole: Path, place: str) -> None:
    row = open_dataset(copy).faces.to_pylist()[5]
    data = bytearray((copy / row["shard"]).read_bytes())
    at = {"pixels": row["offset"] + 60, "header": row["offset"] - 500, "filling": row["offset"] - 3, "end": -5}[place]
    data[at] ^= 4
    (copy / row["shard"]).write_bytes(data)
    assert [(fault.code, fault.name) for fault in check_dataset(copy).faults] == [("damaged", row["shard"])]
    after = repair_dataset(copy, Settings())
    assert after.faults == ()
    lost = [one for one in open_dataset(copy).faces.to_pylist() if one["file_name"] is None]
    assert len(lost) >= 1 if place in ("pixels", "header", "filling") else lost == []
    assert all(is_intact(copy / name) for name in tars(copy))
    run(heap, copy)
    assert files_in(copy) == files_in(whole)


def test_a_missing_tar_file_is_found_and_repaired(heap: Path, copy: Path, whole: Path) -> None:
    name = max(tars(copy))
    (copy / name).unlink()
    assert [(fault.code, fault.name) for fault in check_dataset(copy).faults] == [("missing", name)]
    assert repair_dataset(copy, Settings()).faults == ()
    run(heap, copy)
    assert files_in(copy) == files_in(whole)


def test_a_tar_file_of_no_row_is_found_and_removed(heap: Path, copy: Path, whole: Path) -> None:
    shutil.copy(copy / min(tars(copy)), copy / "shards" / f"{'0' * 32}.tar")
    (copy / "shards" / "mine.tar").write_bytes(b"mine")
    result = check_dataset(copy)
    codes = {(fault.code, fault.name) for fault in result.faults}
    assert ("no_row", f"shards/{'0' * 32}.tar") in codes and result.foreign == ("shards/mine.tar",)
    run(heap, copy)
    (copy / "shards" / "mine.tar").unlink()
    assert files_in(copy) == files_in(whole)


def test_a_dataset_keeps_its_form(heap: Path, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        run(heap, copy, EVERYTHING)
    assert caught.value.code == "other_settings" and "options.crops_as: shards -> files" in caught.value.message
    assert "tar_bytes" not in caught.value.message
    run(heap, tmp_path / "files", EVERYTHING)
    with pytest.raises(DatasetError, match="crops_as: files -> shards"):
        run(heap, tmp_path / "files", IN_TARS)


def test_no_face_needs_no_tar_file(tmp_path: Path) -> None:
    (tmp_path / "heap").mkdir()
    (tmp_path / "heap" / "notes.txt").write_text("not a picture")
    run(tmp_path / "heap", tmp_path / "out")
    assert tars(tmp_path / "out") == {} and check_dataset(tmp_path / "out").faults == ()
    assert open_dataset(tmp_path / "out").faces.num_rows == 0


def test_pruned_pictures_leave_their_tar_files(heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = shutil.copytree(heap, tmp_path / "heap")
    monkeypatch.chdir(fewer)
    spec = build_spec(IN_TARS, shard_size=5)
    build_dataset(sources_in(fewer), tmp_path / "out", Handmade, spec)
    for name in ("Ada/003.png", "Grace/008.png"):
        (fewer / name).unlink()
    build_dataset(sources_in(fewer), tmp_path / "out", Handmade, spec, named=["."], prune=True)
    build_dataset(sources_in(fewer), tmp_path / "expected", Handmade, spec)
    assert files_in(tmp_path / "out") == files_in(tmp_path / "expected")


def test_a_picture_that_changed_leaves_its_tar_file(heap: Path, tmp_path: Path) -> None:
    changing = shutil.copytree(heap, tmp_path / "heap")
    run(changing, tmp_path / "out")
    shutil.copy(changing / "Ada" / "005.png", changing / "Grace" / "010.png")
    run(changing, tmp_path / "out")
    run(changing, tmp_path / "expected")
    assert files_in(tmp_path / "out") == files_in(tmp_path / "expected")
