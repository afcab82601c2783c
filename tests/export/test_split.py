"""Splits: no label, picture or repeated crop is in two of them, shares hold, and added faces move no other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from facesieve.dataset.disk.names import label_folder
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.manifests import open_manifests
from facesieve.errors import UsageError
from facesieve.export.export import export_dataset
from facesieve.export.labels import folders
from facesieve.export.spec import parse_splits
from facesieve.export.split import container, draws, hashes, splits_of
from facesieve.export.twins import near_duplicates
from facesieve.records import Face, Record, Source
from facesieve.run.build import build_dataset
from handmade import Handmade, build_spec, sources_in

SPLIT = "train=0.6,val=0.2,test=0.2"


def drawn(names: list[str], seed: int = 0) -> np.ndarray:
    return draws(hashes(names, seed), [])


def test_shares_hold_and_faces_that_are_added_move_no_other() -> None:
    names = [f"label {number}" for number in range(4000)]
    whole = splits_of(drawn(names), [0.8, 0.1, 0.1])
    assert np.abs(np.bincount(whole) / 4000 - [0.8, 0.1, 0.1]).max() < 0.02
    assert splits_of(drawn(names[::3]), [0.8, 0.1, 0.1]).tolist() == whole[::3].tolist()
    assert splits_of(drawn(names, seed=1), [0.8, 0.1, 0.1]).tolist() != whole.tolist()
    assert drawn([]).tolist() == []
    assert drawn(["label 0"]).tolist() == pytest.approx([0.1733822], abs=1e-6), "the same on every machine"


def test_units_that_share_a_picture_are_one_group_also_through_others() -> None:
    units = hashes(["a", "b", "c", "d"], 0)
    links = np.array([1, 1, 2, 3]), np.array([-1, 7, 7, -1])
    found = draws(units, links)
    assert found[0] == found[1] == found[2] != found[3]
    alone = draws(units, [np.array([-1, -1, -1, -1])])
    assert len(set(alone.tolist())) == 4 and found[3] == alone[3]
    assert found[0] in alone[:3], "the group has the number of one of its units"


def test_archives_and_lists_are_one_unit_by_source() -> None:
    sources = ("a/1.jpg", "a.zip!b/1.jpg", "list.parquet:7", "list.parquet:7!x.jpg", "http://host:80/a.jpg")
    assert [container(one) for one in sources] == ["a/1.jpg", "a.zip", "list.parquet", "list.parquet", sources[-1]]


@pytest.mark.parametrize(
    "text",
    ["train", "train=", "train=x", "train=0", "train=-1,val=2", "=1", "a b=1", "train=0.8,val=0.1", "train=2",
     "train=0.5,train=0.5", "train=0.5,Train=0.5", "train=nan", "../x=1", "train=0.5,,val=0.5", "a=inf"],
)  # fmt: skip
def test_a_split_that_is_malformed_or_does_not_add_up_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_splits(text)
    assert caught.value.code == "bad_split"


def test_thirds_add_up() -> None:
    assert [one.name for one in parse_splits("a=0.3333333,b=0.3333333,c=0.3333334")] == ["a", "b", "c"]
    assert parse_splits("") == ()


@pytest.fixture(scope="module")
def shared_picture(album: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in which one picture lies under two labels."""
    root = tmp_path_factory.mktemp("shared")
    for number in range(12):
        (root / "album" / f"person {number:02d}").mkdir(parents=True)
        for index in range(3):
            pixels = cv2.imread(str(album / "Ada" / f"{index}.png"))
            pixels[:8, : 5 + 8 * number] = 0
            cv2.imwrite(str(root / "album" / f"person {number:02d}" / f"{index}.png"), pixels)
    for name in ("person 03", "person 07"):
        (root / "album" / name / "both.png").write_bytes((album / "Linus" / "4.png").read_bytes())
    build_dataset(sources_in(root / "album"), root / "dataset", Handmade, build_spec())
    return root / "dataset"


@pytest.mark.parametrize("by", ["label", "face", "source"])
def test_nothing_straddles(shared_picture: Path, tmp_path: Path, by: str) -> None:
    done = export_dataset(shared_picture, "csv", tmp_path / "out", split=SPLIT, by=by)
    rows = {row["face_id"]: row for row in pq.read_table(shared_picture / "faces.parquet").to_pylist()}
    splits: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in pq.read_table(tmp_path / "out" / "selection.parquet").to_pylist():
        if row["split"]:
            splits["picture", rows[row["face_id"]]["picture_id"]].add(row["split"])
            splits["label", row["label"]].add(row["split"])
    assert all(len(found) == 1 for (kind, _), found in splits.items() if kind == "picture")
    assert all(len(found) == 1 for (kind, _), found in splits.items() if kind == "label") == (by == "label")
    assert splits["label", "person 03"] == splits["label", "person 07"] or by != "label"
    lacking = [note for note in done.notes if "are not in 'train'" in note]
    assert not lacking or by != "label"


def test_a_split_without_faces_and_one_label_alone_are_told(people: Path, tmp_path: Path) -> None:
    done = export_dataset(people, "csv", tmp_path / "out", split=SPLIT, where="label == 'Linus'")
    assert sorted(done.splits.values())[:2] == [0, 0]
    assert "all faces have one label, 'Linus'" in done.notes
    assert sum("has no faces" in note for note in done.notes) == 2


class Clustered(Handmade):
    """One face per picture, in eight groups: hashes of a group differ in a few bits, those of two in about half."""

    def one(self, source: Source) -> Record:
        record = super().one(source)
        return replace(record, faces=tuple(map(self._hashed, record.faces[:1])))

    def _hashed(self, face: Face) -> Face:
        number = int(face.face_id[:8], 16)
        bits = np.random.default_rng(number % 8).integers(0, 2, 256)
        bits[number // 8 % 8] ^= 1
        return replace(face, crop_hash=np.packbits(bits).tobytes())


def test_near_duplicates_are_in_one_split_also_under_different_labels(album: Path, tmp_path: Path) -> None:
    build_dataset(sources_in(album), tmp_path / "data", Clustered, build_spec(Outputs(keep_rejected=True)))
    export_dataset(tmp_path / "data", "csv", tmp_path / "out", split="a=0.5,b=0.5", by="face", rejected=True)
    splits = pq.read_table(tmp_path / "out" / "selection.parquet")["split"].to_pylist()
    dataset = open_manifests(tmp_path / "data")
    groups = defaultdict[int, set[tuple[str, str, bytes]]](set)
    rows = dataset.faces.select(["label", "crop_hash"]).to_pylist()
    for first, split, row in zip(near_duplicates(dataset).tolist(), splits, rows, strict=True):
        groups[first].add((split, row["label"], row["crop_hash"]))
    groups.pop(-1, None)
    assert set(splits) == {"a", "b"} and len(groups) > 2
    for group in groups.values():
        assert len({split for split, _, _ in group}) == 1
    assert any(len({label for _, label, _ in group}) > 1 for group in groups.values())
    assert any(len({crop for _, _, crop in group}) > 1 for group in groups.values()), "near, not only equal"


def test_labels_in_long_chains_are_one_group_and_others_are_not() -> None:
    labels = np.repeat(np.random.default_rng(0).permutation(20_000), 2)
    units = hashes((f"label {label}" for label in labels), 0)
    pictures = (np.arange(40_000) + 1) // 2  # each label shares a picture with the next one
    assert len(set(draws(units, [pictures]).tolist())) == 1
    pictures[20_000:] += 1  # now the label in the middle shares none with the one before
    draw = draws(units, [pictures])
    assert len(set(draw[:20_000].tolist())) == len(set(draw[20_000:].tolist())) == 1 and draw[0] != draw[-1]


def test_labels_whose_names_differ_late_have_folders_of_their_own() -> None:
    both = [f"{'x' * 100}31985", f"{'x' * 100}110629"]
    names = folders(both)
    assert label_folder(both[0]) == label_folder(both[1]), "their sha256 begin with the same eight digits"
    assert len({*names}) == 2 and max(len(name) for name in names) < 255
    assert len({*folders(both, plain=True)}) == 2
    assert (
        folders(["Ada", "ada", "Ben"])[2] == "Ben" and len({name.casefold() for name in folders(["Ada", "ada"])}) == 2
    )
