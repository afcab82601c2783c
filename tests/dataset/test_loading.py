"""What training code does with a dataset: open it with pyarrow, load it with Hugging Face datasets."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.schema import face_schema, picture_schema
from facesieve.run.build import build_dataset
from handmade import MEASURES, Handmade, build_spec, photos, sources_in


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """Two people, two labels that a loader could take for splits, and every other kind of file."""
    root = tmp_path_factory.mktemp("loading")
    heap = photos(root / "heap", astronaut, count=8)
    for name in ("val_kilmer", "test"):
        shutil.copytree(heap / "Ada", heap / name)
    build_dataset(sources_in(heap), root / "out", Handmade, build_spec(Outputs(True, ("face", "head"), True)))
    return root / "out"


def test_pyarrow_reads_both_manifests_with_the_promised_columns(dataset: Path) -> None:
    faces, pictures = pq.read_table(dataset / "faces.parquet"), pq.read_table(dataset / "pictures.parquet")
    assert faces.schema.equals(face_schema(MEASURES)) and pictures.schema.equals(picture_schema())
    kept = faces.filter(faces["kept"])
    assert len(kept) > 4
    for name, label in zip(kept["file_name"].to_pylist(), kept["label"].to_pylist(), strict=True):
        assert Image.open(dataset / name).size == (112, 112)
        assert name.split("/")[1].lower().startswith(label.lower())
    assert pc.sum(pictures["faces"]).as_py() == len(faces)


LOAD = """
import sys
from datasets import load_dataset
rows = load_dataset("imagefolder", data_dir=sys.argv[1])
assert list(rows) == ["train"], list(rows)
rows = rows["train"]
names = rows.features["label"].names
for row in rows:
    pixel = sum(row["image"].getpixel((0, 0)))
    print(names[row["label"]], row["face_id"], row["image"].size, row["yaw"], pixel, sep="|")
"""


@pytest.mark.parametrize("data_dir", ["", "kept"])
def test_imagefolder_loads_kept_faces_with_labels_and_measures(dataset: Path, tmp_path: Path, data_dir: str) -> None:
    env = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", LOAD, str(dataset / data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    faces = pq.read_table(dataset / "faces.parquet")
    expected = []
    for row in faces.filter(faces["kept"]).to_pylist():
        pixel = sum(np.asarray(Image.open(dataset / row["file_name"]))[0, 0].tolist())
        expected.append(f"{row['file_name'].split('/')[1]}|{row['face_id']}|(112, 112)|{row['yaw']}|{pixel}")
    assert sorted(done.stdout.splitlines()) == sorted(expected)
    assert {line.split("|")[0] for line in expected} == {"Ada", "Grace", "Val_kilmer-bfc8f0f7", "Test-9f86d081"}


STREAM = """
import sys
from datasets import load_dataset
rows = load_dataset("imagefolder", data_dir=sys.argv[1], streaming=True)["train"]
print(*rows.features, len(list(rows)))
"""


@pytest.mark.parametrize("data_dir", ["", "kept"])
def test_imagefolder_streams_a_dataset_with_nothing_kept(tmp_path: Path, data_dir: str) -> None:
    (tmp_path / "empty.jpg").touch()
    build_dataset(sources_in(tmp_path), tmp_path / "out", Handmade, build_spec())
    env = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", STREAM, str(tmp_path / "out" / data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    *features, rows = done.stdout.split()
    assert {"image", "label", "face_id", "yaw"} <= set(features) and rows == "0"
