"""Relations of a build and of `sieve` on real pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from twin_photos import TWINS, hopper, photos_of_ada, write_photos

import facesieve
from facesieve.dataset.disk.format import with_format
from facesieve.errors import PolicyError
from facesieve.quality.table import PICTURE_RELATIONS
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.settings import Settings
from facesieve.sieve import Policy
from handmade import files_in
from unnumbered import rewrite_sums

MAIN = Policy.preset("lenient").adjusted(["max_rank_in_picture=1", "max_faces_in_picture=2"])
LATER = ("prominence", "fitness", *(relation.name for relation in PICTURE_RELATIONS), "pose_spread", "crop_hash")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A group of three faces of different sizes, and one face alone."""
    import skimage.data

    root = tmp_path_factory.mktemp("pictures")
    face = skimage.data.astronaut()[0:256, 96:352, ::-1]
    group = np.full((300, 640, 3), 90, np.uint8)
    for left, side in ((0, 160), (180, 256), (470, 150)):
        group[20 : 20 + side, left : left + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    for name, pixels in (("group.png", group), ("one.png", face)):
        cv2.imwrite(str(root / name), pixels)
    return root


def build(pictures: Path, root: Path, policy: Policy, **options: Any) -> facesieve.Dataset:
    settings = Settings.load(workers=1, pose="geometric")
    facesieve.build(pictures, root, settings=settings, policy=policy, keep_rejected=True, **options)
    return facesieve.open_dataset(root)


@pytest.fixture(scope="module")
def plain(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> facesieve.Dataset:
    return build(pictures, tmp_path_factory.mktemp("plain") / "d", Policy.preset("lenient"))


def test_the_main_face_of_a_picture_is_kept(pictures: Path, tmp_path: Path) -> None:
    dataset = build(pictures, tmp_path / "d", Policy.preset("lenient").adjusted(["max_rank_in_picture=1"]))
    rows = dataset.faces.to_pylist()
    group = [row for row in rows if row["source"].endswith("group.png")]
    assert [row["rank_in_picture"] for row in rows if row["source"].endswith("one.png")] == [1]
    assert sorted(row["rank_in_picture"] for row in group) == [1, 2, 3]
    kept = [row for row in group if row["kept"]]
    assert [row["box_w"] for row in kept] == [max(row["box_w"] for row in group)]
    assert {row["faces_in_picture"] for row in group} == {None, 1.0}, "one face was kept"
    other = next(row for row in group if not row["kept"])
    assert other["reasons"] == ["not_the_main_face"]
    explained = "\n".join(dataset.explain(other["face_id"]).lines())
    assert f"The main face of the picture is {kept[0]['face_id']} (prominence " in explained


def test_sieve_returns_what_a_build_with_the_same_policy_writes(
    pictures: Path, plain: facesieve.Dataset, tmp_path: Path
) -> None:
    built = build(pictures, tmp_path / "built", MAIN)
    plain.rejudge(MAIN, tmp_path / "sieved")
    assert files_in(tmp_path / "sieved") == files_in(tmp_path / "built")
    assert 0 < built.about.counts.kept < built.about.counts.faces


def without_later_columns(old: facesieve.Dataset, root: Path) -> Path:
    """The dataset as the version before relations wrote it."""
    shutil.copytree(old.layout.root, root)
    faces = pq.read_table(root / "faces.parquet")
    pq.write_table(faces.drop_columns(list(LATER)), root / "faces.parquet")
    for part in (root / ".facesieve" / "parts").glob("*.parquet"):
        rows = pq.read_table(part)
        lists = rows["faces"].combine_chunks()
        kept = [field for field in lists.type.value_type if field.name not in LATER]
        structs = pa.StructArray.from_arrays([lists.values.field(field.name) for field in kept], fields=kept)
        at = rows.schema.get_field_index("faces")
        rows = rows.set_column(at, "faces", pa.ListArray.from_arrays(lists.offsets, structs))
        pq.write_table(with_format(rows), part)
    for name in ("dataset.json", ".facesieve/made.json"):
        values = json.loads((root / name).read_text())
        values["measures"] = [one for one in values["measures"] if one not in LATER]
        (root / name).write_text(json.dumps(values))
    rewrite_sums(root)
    return root


def test_an_earlier_dataset_is_read_explained_and_judged_by_relations(plain: facesieve.Dataset, tmp_path: Path) -> None:
    old = facesieve.open_dataset(without_later_columns(plain, tmp_path / "old"))
    assert not set(LATER[:-1]) & set(old.faces.column_names)
    assert set(old.faces["crop_hash"].to_pylist()) == {None}
    assert old.explain(old.faces["face_id"][0].as_py()).face.kept
    assert old.rejudge().after == old.about.counts
    assert not set(LATER[:-1]) & set(old.rejudge().faces.column_names)
    new, expected = old.rejudge(MAIN), plain.rejudge(MAIN)
    assert new.faces["reasons"] == expected.faces["reasons"]
    assert new.faces["rank_in_picture"] == expected.faces["rank_in_picture"]
    old.rejudge(Policy.preset("lenient").adjusted(["min_fitness=1", "max_rank_in_picture=1"]), tmp_path / "new")
    assert facesieve.open_dataset(tmp_path / "new").faces["fitness"] == plain.faces["fitness"]


def test_an_earlier_dataset_is_continued_and_its_rows_have_null(
    plain: facesieve.Dataset, pictures: Path, tmp_path: Path
) -> None:
    root = without_later_columns(plain, tmp_path / "old")
    more = tmp_path / "more"
    more.mkdir()
    cv2.imwrite(str(more / "new.png"), cv2.imread(str(pictures / "one.png"))[:, ::-1])
    settings = Settings.load(workers=1, pose="geometric")
    done = facesieve.build([pictures, more], root, settings=settings, policy=plain.policy, keep_rejected=True)
    assert (done.progress.already, done.progress.total) == (2, 1)
    rows = facesieve.open_dataset(root).faces.to_pylist()
    assert {row["source"].endswith("new.png"): row["fitness"] is None for row in rows} == {True: False, False: True}
    again = facesieve.open_dataset(root).rejudge(MAIN).faces
    assert again["fitness"].null_count == 0
    assert len({row["source"] for row in again.to_pylist() if row["rank_in_picture"] == 1}) == 3


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> facesieve.Dataset:
    """Two people; one of them also mirrored and blurred, saved again and made smaller, under two labels."""
    ada = photos_of_ada()
    others = {"ben/4 same.jpg": ada["ada/1.png"], "grace/5.png": hopper()}
    root = write_photos(ada | others, tmp_path_factory.mktemp("twins"))
    return build(root, root.parent / f"{root.name} dataset", Policy.preset("lenient"), label_from="folder")


def test_sieve_keeps_the_fittest_of_near_duplicates_and_explain_names_it(
    twins: facesieve.Dataset, tmp_path: Path
) -> None:
    assert twins.about.counts.kept == 5
    new = twins.rejudge(TWINS, tmp_path / "new")
    rows = {Path(row["source"]).name: row for row in new.faces.to_pylist()}
    assert [row["rank_among_duplicates"] for row in rows.values()].count(1) == 2
    ada = [row for name, row in rows.items() if name != "5.png"]
    best = max(ada, key=lambda row: row["fitness"])
    assert [row["reasons"] for row in ada if row is not best] == [["near_duplicate"]] * 3
    assert best["kept"] and rows["5.png"]["kept"]
    small = rows["3 small.jpg"]
    said = facesieve.open_dataset(tmp_path / "new").explain(small["face_id"])
    assert f"Near-duplicate of {best['face_id']} (distance 0." in said.note
    assert f"which is fitter: {best['fitness']:.0f} against {small['fitness']:.0f}." in said.note


def test_of_two_equally_fit_faces_explain_says_that_one_comes_first(astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name, level in (("a.png", 1), ("b.png", 9)):
        cv2.imwrite(str(tmp_path / "photos" / name), cv2.imread(str(astronaut)), [cv2.IMWRITE_PNG_COMPRESSION, level])
    build(tmp_path / "photos", tmp_path / "dataset", policy=Policy.preset("lenient"))
    new = facesieve.open_dataset(tmp_path / "dataset").rejudge(TWINS, tmp_path / "new")
    [second] = [row for row in new.faces.to_pylist() if not row["kept"]]
    note = facesieve.open_dataset(tmp_path / "new").explain(second["face_id"]).note
    assert f"which comes first: both have a fitness of {second['fitness']:.0f}." in note


def test_faces_that_failed_before_are_not_compared(twins: facesieve.Dataset) -> None:
    rows = {Path(row["source"]).name: row for row in twins.faces.to_pylist()}
    limit = max(row["fitness"] for row in rows.values() if not row["source"].endswith("5.png"))
    rules = [
        {"measure": "fitness", "high": limit - 0.001},
        {"measure": "rank_among_duplicates", "high": 1},
        {"measure": "twin_distance", "low": 0.2},
    ]
    again = twins.rejudge(Policy.parse({"name": "x", "rules": rules})).faces.to_pylist()
    unfit = [row for row in again if "not_fit" in row["reasons"]]
    assert unfit
    assert [row["rank_among_duplicates"] for row in unfit] == [None] * len(unfit)
    kept = [row for row in again if row["kept"]]
    assert kept
    assert [(row["rank_among_duplicates"], row["twin_distance"]) for row in kept] == [(1, 1)] * len(kept)


def test_old_relations_are_not_kept_under_rules_that_do_not_ask_for_them(
    twins: facesieve.Dataset, tmp_path: Path
) -> None:
    twins.rejudge(TWINS, tmp_path / "new")
    back = facesieve.open_dataset(tmp_path / "new").rejudge(Policy.preset("lenient"))
    assert "rank_among_duplicates" not in back.faces.column_names
    assert back.after == twins.about.counts


def test_a_pipeline_with_a_rule_on_all_faces_is_refused_with_advice() -> None:
    with pytest.raises(PolicyError, match=r"`facesieve build` or `facesieve sieve`") as caught:
        facesieve.Pipeline(Settings.load(pose="geometric"), TWINS)
    assert caught.value.code == "needs_dataset"


def test_a_dataset_without_hashes_says_so(plain: facesieve.Dataset, tmp_path: Path) -> None:
    old = facesieve.open_dataset(without_later_columns(plain, tmp_path / "old"))
    with pytest.raises(PolicyError, match="has no hashes of crops"):
        old.rejudge(TWINS)


# ── with crops in tar shards, and merged ──────────────────────────────────────────────────────────────────────────


TAR_POSITION = ["file_name", "shard", "offset", "size"]


@pytest.fixture(scope="module")
def in_tars(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> facesieve.Dataset:
    """The pictures of `plain`, with crops in tar shards."""
    return build(pictures, tmp_path_factory.mktemp("tars") / "d", Policy.preset("lenient"), crops_as="shards")


def crops_of(dataset: facesieve.Dataset) -> list[bytes | None]:
    return list(dataset.crops(dataset.faces))


def test_sieve_on_tar_shards_returns_what_a_build_with_the_same_policy_writes(
    pictures: Path, plain: facesieve.Dataset, in_tars: facesieve.Dataset, tmp_path: Path
) -> None:
    built = build(pictures, tmp_path / "built", MAIN, crops_as="shards")
    in_tars.rejudge(MAIN, tmp_path / "sieved")
    assert files_in(tmp_path / "sieved") == files_in(tmp_path / "built")
    assert any(name.endswith(".tar") for name in files_in(tmp_path / "sieved"))
    sieved = facesieve.open_dataset(tmp_path / "sieved")
    assert "not_the_main_face" in str(sieved.faces["reasons"])
    assert sieved.faces.drop_columns(TAR_POSITION).equals(plain.rejudge(MAIN).faces.drop_columns("file_name"))
    assert crops_of(sieved) == crops_of(built) == crops_of(plain)
    assert check_dataset(tmp_path / "sieved").faults == ()


def test_near_duplicates_and_earlier_datasets_keep_the_places_in_tar_shards(
    in_tars: facesieve.Dataset, twins: facesieve.Dataset, tmp_path: Path
) -> None:
    photos = Path(str(twins.layout.root).removesuffix(" dataset"))
    other = build(photos, tmp_path / "twins", Policy.preset("lenient"), label_from="parent", crops_as="shards")
    other.rejudge(TWINS, tmp_path / "new")
    new = facesieve.open_dataset(tmp_path / "new")
    assert new.about.counts.kept == 2
    assert new.faces.drop_columns(TAR_POSITION).equals(twins.rejudge(TWINS).faces.drop_columns("file_name"))
    assert crops_of(new) == crops_of(twins)
    old = facesieve.open_dataset(without_later_columns(in_tars, tmp_path / "old"))
    old.rejudge(MAIN, tmp_path / "judged")
    judged = facesieve.open_dataset(tmp_path / "judged")
    assert judged.faces["rank_in_picture"] == in_tars.rejudge(MAIN).faces["rank_in_picture"]
    assert judged.faces.select(TAR_POSITION).equals(in_tars.faces.select(TAR_POSITION))
    assert check_dataset(tmp_path / "judged").faults == ()


@pytest.mark.parametrize("crops_as", ["files", "shards"])
def test_shards_with_relations_merge_to_the_bytes_of_one_build(
    pictures: Path, twins: facesieve.Dataset, tmp_path: Path, crops_as: str
) -> None:
    photos = Path(str(twins.layout.root).removesuffix(" dataset"))
    shutil.copytree(photos, tmp_path / "p" / "people")
    shutil.copytree(pictures, tmp_path / "p" / "groups")
    options = {"crops_as": crops_as, "label_from": "folder:2"}
    whole = build(tmp_path / "p", tmp_path / "whole", MAIN, **options)
    parts = [tmp_path / f"part {number}" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        build(tmp_path / "p", part, MAIN, shard=(number, 3), **options)
    assert [facesieve.open_dataset(part).about.counts.faces > 0 for part in parts].count(True) > 1
    facesieve.merge(parts, tmp_path / "merged")
    assert files_in(tmp_path / "merged") == files_in(tmp_path / "whole")
    merged = facesieve.open_dataset(tmp_path / "merged")
    assert sorted(set(merged.pictures["label"].to_pylist())) == ["", "ada", "ben", "grace"]
    again, expected = (one.rejudge(TWINS).faces for one in (merged, whole))
    assert again.equals(expected) and "near_duplicate" in str(again["reasons"])


@pytest.mark.parametrize("crops_as", ["files", "shards"])
def test_a_part_of_an_earlier_version_is_merged_like_a_dataset_that_a_build_continues(
    pictures: Path, tmp_path: Path, crops_as: str
) -> None:
    lenient = Policy.preset("lenient")
    first = build(pictures / "group.png", tmp_path / "first", lenient, crops_as=crops_as)
    old = without_later_columns(first, tmp_path / "old")
    build(pictures / "one.png", tmp_path / "new", lenient, crops_as=crops_as)
    for number, parts in enumerate((["old", "new"], ["new", "old"])):
        facesieve.merge([tmp_path / part for part in parts], tmp_path / f"out {number}")
        assert check_dataset(tmp_path / f"out {number}").faults == ()
    build(pictures, old, lenient, crops_as=crops_as)
    assert files_in(tmp_path / "out 0") == files_in(tmp_path / "out 1") == files_in(old)
    merged = facesieve.open_dataset(tmp_path / "out 1")
    rows = merged.faces.to_pylist()
    assert {row["source"].endswith("one.png"): row["rank_in_picture"] for row in rows} == {True: 1, False: None}
    assert [row["crop_hash"] is None for row in rows] == [True, True, True, False]
    assert merged.rejudge(MAIN).faces["rank_in_picture"].to_pylist().count(1) == 2
    done = facesieve.build(
        pictures,
        tmp_path / "out 1",
        settings=Settings.load(workers=1, pose="geometric"),
        policy=lenient,
        keep_rejected=True,
    )
    assert (done.progress.already, done.progress.total) == (2, 0)


def test_parts_of_different_versions_are_still_refused_with_what_else_differs(
    plain: facesieve.Dataset, pictures: Path, tmp_path: Path
) -> None:
    old = without_later_columns(plain, tmp_path / "old")
    build(pictures / "one.png", tmp_path / "new", MAIN)
    for parts in ((old, tmp_path / "new"), (tmp_path / "new", old)):
        with pytest.raises(facesieve.DatasetError, match=r"rank_in_picture") as caught:
            facesieve.merge(parts, tmp_path / "out")
        assert caught.value.code == "other_settings"
        assert caught.value.message.startswith(f"{old} and {tmp_path / 'new'} were built with different options: ")
        assert "measures" not in caught.value.message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("crops_as", ["files", "shards"])
def test_parts_of_an_earlier_version_are_rewritten_and_merged_in_part(
    pictures: Path, tmp_path: Path, crops_as: str
) -> None:
    lenient = Policy.preset("lenient")
    shutil.copytree(pictures, tmp_path / "p")
    cv2.imwrite(str(tmp_path / "p" / "small.png"), cv2.imread(str(pictures / "one.png"))[:, ::-1])
    first = build(tmp_path / "p", tmp_path / "first", lenient, crops_as=crops_as)
    old = without_later_columns(first, tmp_path / "old")
    again = build(tmp_path / "p" / "one.png", tmp_path / "again", lenient, crops_as=crops_as)
    facesieve.merge([old, tmp_path / "again"], tmp_path / "merged")
    hashes = {
        Path(row["source"]).name: row["crop_hash"]
        for row in facesieve.open_dataset(tmp_path / "merged").faces.to_pylist()
    }
    assert hashes == {"group.png": None, "one.png": again.faces["crop_hash"][0].as_py(), "small.png": None}
    assert check_dataset(tmp_path / "merged").faults == ()
    forget(tmp_path / "merged", [str(tmp_path / "p" / "one.png")], Settings.load())
    forget(old, [str(tmp_path / "p" / "one.png")], Settings.load())
    for root in (old, tmp_path / "merged"):
        dataset = facesieve.open_dataset(root)
        assert len(dataset.faces) == 4 and check_dataset(root).faults == ()
        assert all(crops_of(dataset))
    build(tmp_path / "p", old, lenient, crops_as=crops_as, allow_again=True)
    assert len(facesieve.open_dataset(old).faces) == 5
