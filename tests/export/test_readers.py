"""The readers of the ecosystem read what was exported: counts, labels and pixels."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from facesieve.export.export import export_dataset
from facesieve.settings import Settings

SMALL = Settings.load(export_shard=16)
SPLIT = "train=0.6,val=0.2,test=0.2"


def pixels_of(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.fixture(scope="module")
def rows(people: Path) -> dict[str, dict]:
    """The kept faces by their ids."""
    table = pq.read_table(people / "faces.parquet")
    return {row["face_id"]: row for row in table.filter(table["kept"]).to_pylist()}


HUGGING_FACE = """
import sys
import numpy as np
from datasets import load_dataset
for place, options in ((sys.argv[1], {}), ("imagefolder", {"data_dir": sys.argv[1]}), (sys.argv[2], {})):
    rows = load_dataset(place, **options)
    for split in rows:
        names = rows[split].features["label"].names
        for row in rows[split]:
            total = int(np.asarray(row["image"]).astype(int).sum())
            print(split, row["face_id"], names[row["label"]], row["yaw"], total, sep="|")
    print("--")
"""


def test_datasets_loads_image_folders_and_parquet_with_images_classes_and_splits(
    people: Path, rows: dict[str, dict], tmp_path: Path
) -> None:
    folder, parquet = tmp_path / "folder", tmp_path / "parquet"
    done = export_dataset(people, "imagefolder", folder, split=SPLIT, settings=SMALL)
    assert export_dataset(people, "parquet", parquet, split=SPLIT, settings=SMALL) == done
    env = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", HUGGING_FACE, str(folder), str(parquet)]
    loaded = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert loaded.returncode == 0, loaded.stderr
    first, by_builder, second = (part.splitlines() for part in loaded.stdout.removesuffix("--\n").split("--\n"))
    assert sorted(first) == sorted(second)
    assert {line.split("|")[1] for line in by_builder} == set(rows)
    counts = {name: sum(line.startswith(f"{name}|") for line in first) for name in ("train", "val", "test")}
    assert counts == done.splits
    for line in first:
        _, face_id, name, yaw, total = line.split("|")
        row = rows[face_id]
        assert name == (f"{row['label']} (label)" if row["label"] == "unlabelled" else row["label"])
        assert yaw == str(row["yaw"]) and int(total) == int(pixels_of(people / row["file_name"]).astype(int).sum())


def test_image_folders_follow_the_rule_of_torchvision(people: Path, rows: dict[str, dict], tmp_path: Path) -> None:
    """Its rule, torchvision.datasets.ImageFolder: each folder of the root, sorted by name, is a class."""
    out = tmp_path / "out"
    done = export_dataset(people, "imagefolder", out, split=SPLIT, image="jpeg:90")
    classes = sorted(path.name for path in (out / "train").iterdir() if path.is_dir())
    held = [(number, path) for number, name in enumerate(classes) for path in sorted((out / "train" / name).iterdir())]
    assert len(held) == done.splits["train"] and len({name.casefold() for name in classes}) == len(classes)
    labels = json.loads((out / "labels.json").read_text(encoding="utf-8"))
    for number, path in held:
        label = rows[path.stem]["label"]
        assert labels[str(number)] == label or label == "unlabelled"
        assert path.suffix == ".jpg"
        worst = np.abs(
            pixels_of(path).astype(int) - pixels_of(people / rows[path.stem]["file_name"]).astype(int)
        ).mean()
        assert worst < 4


def test_torchvision_reads_image_folders_with_the_same_classes(people: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets", reason="needs torchvision, which needs gigabytes")
    out = tmp_path / "out"
    done = export_dataset(people, "imagefolder", out, split=SPLIT)
    read = datasets.ImageFolder(str(out / "train"))
    metadata = pq.read_table(out / "train" / "metadata.parquet").to_pylist()
    assert len(read) == len(metadata) == done.splits["train"] and read[0][0].size == (112, 112)
    found = {Path(path).relative_to(out / "train").as_posix(): number for path, number in read.samples}
    assert found == {row["file_name"]: row["label"] for row in metadata}


def test_webdataset_reads_every_sample_once(people: Path, rows: dict[str, dict], tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="needs the extra `test`")
    export_dataset(people, "webdataset", tmp_path / "out", settings=SMALL)
    shards = sorted(map(str, (tmp_path / "out").glob("train-*.tar")))
    sizes = json.loads((tmp_path / "out" / "sizes.json").read_text())
    labels = json.loads((tmp_path / "out" / "labels.json").read_text(encoding="utf-8"))
    assert len(shards) == len(sizes) == -(-len(rows) // 16)
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    assert len(samples) == len(rows) == sum(sizes.values())
    for sample in samples:
        row = rows[sample["json"]["face_id"]]
        assert labels[str(sample["cls"])] == sample["json"]["label"]
        assert sample["json"]["label"].removesuffix(" (label)") == row["label"] and sample["json"]["yaw"] == row["yaw"]
        assert np.array_equal(np.asarray(sample["png"]), pixels_of(people / row["file_name"]))
    order = [sample["json"]["label"] for sample in samples[:16]]
    assert len(set(order)) > 4, "faces of one person are not next to each other"


def test_pycocotools_reads_boxes_keypoints_and_verdicts_of_all_faces(people: Path, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="needs the extra `test`")
    done = export_dataset(people, "coco", tmp_path / "out", split="train=0.7,val=0.3")
    faces = {row["face_id"]: row for row in pq.read_table(people / "faces.parquet").to_pylist()}
    pictures = {row["source"]: row for row in pq.read_table(people / "pictures.parquet").to_pylist()}
    seen, images = set[str](), set[str]()
    for split in ("train", "val"):
        held = coco.COCO(tmp_path / "out" / f"{split}.json")
        assert held.loadCats([1])[0]["keypoints"] == ["left_eye", "right_eye", "nose", "mouth_left", "mouth_right"]
        for image in held.loadImgs(held.getImgIds()):
            picture = pictures[image["file_name"]]
            found = held.loadAnns(held.getAnnIds(imgIds=image["id"]))
            assert (image["width"], image["height"], len(found)) == (
                picture["width"],
                picture["height"],
                picture["faces"],
            )
            images.add(image["file_name"])
            for face in found:
                row = faces[face["face_id"]]
                seen.add(face["face_id"])
                assert face["bbox"] == [row["box_x"], row["box_y"], row["box_w"], row["box_h"]]
                assert face["keypoints"][6:9] == [row["nose_x"], row["nose_y"], 2] and face["num_keypoints"] == 5
                assert (face["attributes"]["kept"], face["attributes"]["yaw"]) == (row["kept"], row["yaw"])
                assert face["attributes"]["reasons"] == row["reasons"]
    assert seen == set(faces) and len(seen) == done.faces
    assert images == {source for source, row in pictures.items() if row["refusal"] is None}
    assert any(row["faces"] == 0 for row in pictures.values()), "pictures without faces belong to it"


def test_lists_have_the_columns_of_the_manifest(people: Path, rows: dict[str, dict], tmp_path: Path) -> None:
    import pyarrow.csv

    export_dataset(people, "csv", tmp_path / "csv", settings=SMALL)
    export_dataset(people, "jsonl", tmp_path / "jsonl", rejected=True)
    table = pyarrow.csv.read_csv(io.BytesIO((tmp_path / "csv" / "train.csv").read_bytes()))
    assert table["face_id"].to_pylist() == list(rows), "in the order of the manifest"
    assert table["label"].to_pylist() == [row["label"] for row in rows.values()]
    assert table["yaw"].to_pylist() == [row["yaw"] for row in rows.values()]
    lines = [json.loads(line) for line in (tmp_path / "jsonl" / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    for line, row in zip(lines, pq.read_table(people / "faces.parquet").to_pylist(), strict=True):
        assert {name: line[name] for name in row if name != "crop_hash"} == {
            name: value for name, value in row.items() if name != "crop_hash"
        }
