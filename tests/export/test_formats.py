"""Every format: equal bytes, both forms of crops, read back by other code, and damage is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from facesieve.dataset.disk.layout import Layout
from facesieve.errors import DatasetError, UsageError
from facesieve.export.export import ExportProgress, export_dataset
from facesieve.export.formats import FORMATS
from facesieve.export.verify import verify_export
from facesieve.run.check import check_dataset
from facesieve.run.receipts import receipts
from facesieve.settings import Settings
from handmade import files_in

SMALL = Settings.load(export_shard=16)  # so that there are several shards
OF_DATASET = ("export.json", "train.csv", "train.jsonl")  # they name files of the dataset


def verified(dataset: Path, output: Path) -> int:
    return verify_export(dataset, output, Settings(), lambda progress: None)


@pytest.mark.parametrize("to", FORMATS)
def test_an_export_is_complete_equal_for_both_forms_of_crops_and_reads_back(
    people: Path, in_tars: Path, tmp_path: Path, to: str
) -> None:
    seen = list[ExportProgress]()
    done = export_dataset(people, to, tmp_path / "one", settings=SMALL, watch=seen.append)
    faces = pq.read_table(people / "faces.parquet")
    expected = len(faces) if to == "coco" else int(np.asarray(faces["kept"]).sum())
    paired = to == "pairs"
    assert 20 < done.faces <= expected and (done.faces == expected or paired)
    assert [seen[0].done, seen[-1].done] == [0, done.faces] and len(seen) == -(-done.faces // 16) + 1
    assert verified(people, tmp_path / "one") == done.faces
    again = export_dataset(in_tars, to, tmp_path / "two", settings=SMALL)
    assert again == done
    first, second = (files_in(tmp_path / name) for name in ("one", "two"))
    for name in OF_DATASET:
        first.pop(name, None)
        second.pop(name, None)
    assert first == second
    export_dataset(people, to, tmp_path / "three", settings=SMALL)
    assert files_in(tmp_path / "three") == files_in(tmp_path / "one")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("to", ["imagefolder", "webdataset", "parquet", "recordio", "pairs"])
def test_a_changed_picture_is_noticed(people: Path, tmp_path: Path, to: str) -> None:
    out = tmp_path / "out"
    export_dataset(people, to, out, image="png", settings=SMALL)
    files = (path for path in out.rglob("*") if path.is_file() and path.name != "metadata.parquet")
    victim = max(files, key=lambda path: path.stat().st_size)
    data = bytearray(victim.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    victim.write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        verified(people, out)
    assert caught.value.code == "damaged_export"


def test_a_missing_face_and_another_dataset_are_noticed(people: Path, copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_dataset(people, "jsonl", out)
    lines = (out / "train.jsonl").read_text().splitlines(keepends=True)
    (out / "train.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(DatasetError, match="fewer faces"):
        verified(people, out)
    (out / "train.jsonl").write_text("".join([lines[1], lines[0], *lines[2:]]))
    with pytest.raises(DatasetError, match="not where it should be"):
        verified(people, out)
    with pytest.raises(DatasetError) as caught:
        verified(people, people)
    assert caught.value.code == "not_an_export"
    about = json.loads((out / "export.json").read_text())
    (out / "export.json").write_text(json.dumps(about | {"dataset": "0" * 64}))
    with pytest.raises(DatasetError) as caught:
        verified(people, out)
    assert caught.value.code == "other_dataset"


def test_no_file_of_an_export_but_lists_says_where_a_picture_came_from(
    people: Path, album: Path, tmp_path: Path
) -> None:
    for to in ("imagefolder", "webdataset", "parquet", "recordio", "pairs"):
        export_dataset(people, to, tmp_path / to)
    for path in tmp_path.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert b"/0.png" not in data, path
        assert str(album).encode() not in data and str(people).encode() not in data, path


def test_each_export_leaves_one_receipt_that_names_its_faces(copy: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = export_dataset(copy, "csv", tmp_path / "out", where="blur > 50")
        (tmp_path / "out").rename(tmp_path / f"moved-{len(list(tmp_path.iterdir()))}")
    [(about, path, _)] = receipts(Layout(copy))
    assert about["output"] == str(tmp_path / "out") and about["spec"]["where"] == "blur > 50"
    ids = pq.read_table(path)["face_id"].to_pylist()
    assert len(ids) == done.faces and set(ids) < set(pq.read_table(copy / "faces.parquet")["face_id"].to_pylist())
    assert not check_dataset(copy).faults and not check_dataset(copy).foreign


def test_the_card_has_a_head_of_yaml_and_what_the_user_says(people: Path, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    licence, note = 'cc-by-4.0\n"tricky: #', "Signed forms.\n---\nKept at the office."
    export_dataset(people, "parquet", tmp_path / "out", split="train=0.5,val=0.5", licence=licence, consent=note)
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))
    assert head["license"] == licence
    files = head["configs"][0]["data_files"]
    assert [file["split"] for file in files] == ["train", "val"] and files[1]["path"] == "val-*.parquet"
    assert "> Signed forms.\n> ---\n> Kept at the office." in text
    for part in ("by hand", "rejected", "| yaw |", "not checked by", "facesieve 0."):
        assert part in text or part == "not checked by"


def test_words_that_no_format_has_are_refused_before_anything_is_written(people: Path, tmp_path: Path) -> None:
    for options, code in (
        ({"to": "zip"}, "unknown_format"),
        ({"to": "recordio", "image": "webp"}, "bad_image"),
        ({"to": "csv", "image": "png:3"}, "bad_image"),
        ({"to": "csv", "image": "jpeg:0"}, "bad_image"),
        ({"to": "csv", "image": "jpeg:101"}, "bad_image"),
        ({"to": "csv", "size": 4}, "bad_size"),
        ({"to": "csv", "balance": "light"}, "bad_balance"),
        ({"to": "csv", "min_per_label": 3, "max_per_label": 2}, "bad_limit"),
        ({"to": "pairs", "pairs": 1}, "bad_pairs"),
        ({"to": "csv", "by": "picture"}, "bad_split"),
        ({"to": "csv", "where": "blur < 0"}, "empty_selection"),
    ):
        with pytest.raises(UsageError) as caught:
            export_dataset(people, output=tmp_path / "out", **options)
        assert caught.value.code == code, options
    assert list(tmp_path.iterdir()) == []
