"""`facesieve build --crops-as shards` on real portraits, read with the tools that people use."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import facesieve
from handmade import files_in

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path, hopper: Path) -> Path:
    root = tmp_path_factory.mktemp("heap")
    (root / "Eileen C. Collins").mkdir()
    (root / "Grace").mkdir()
    shutil.copy(astronaut, root / "Eileen C. Collins" / "good.png")
    shutil.copy(hopper, root / "Grace" / "good.jpg")
    return root


def rows_of(dataset: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(dataset / "faces.parquet").to_pylist()
    return rows


def test_webdataset_reads_the_crops_that_files_would_be(run: Run, heap: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="needs the package webdataset")
    options = ("--label-from", "folder", "--crops", "face", "-q")
    assert run("build", heap, "-o", tmp_path / "files", *options)[0] == 0
    assert run("build", heap, "-o", tmp_path / "shards", *options, "--crops-as", "shards")[0] == 0
    files = files_in(tmp_path / "files")
    [shard] = (tmp_path / "shards" / "shards").iterdir()
    samples = list(webdataset.WebDataset(str(shard), shardshuffle=False))
    assert len(samples) == 2
    for sample in samples:
        key = sample["__key__"]
        assert sample["png"] == files[f"kept/{key}.png"]
        assert sample["face.jpg"] == files[f"crops/face/{key}.jpg"]
    assert {f"{sample['__key__']}.png" for sample in samples} == {
        row["file_name"] for row in rows_of(tmp_path / "shards")
    }


def test_a_dataset_keeps_its_form_without_the_option(
    run: Run, heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    one = heap / "Grace"
    assert run("build", one, "-o", out, "-q", "--crops-as", "shards")[0] == 0
    monkeypatch.setenv("FACESIEVE_TAR_BYTES", "5000")
    assert run("build", heap, "-o", out, "-q")[0] == 0
    assert len(list((out / "shards").iterdir())) == 1, "the size is that of the first build"
    status, _, errors = run("build", heap, "-o", out, "-q", "--crops-as", "files")
    assert status == 2 and "options.crops_as: shards -> files" in errors
    assert run("check", out)[0] == 0


def test_a_new_dataset_of_many_pictures_has_shards(run: Run, heap: Path, tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    assert run("build", heap, "-o", few, "-q", "--setting", "most_crop_files=2")[0] == 0
    assert run("build", heap, "-o", many, "-q", "--setting", "most_crop_files=1")[0] == 0
    assert [(few / name).exists() for name in ("kept", "shards")] == [True, False]
    assert [(many / name).exists() for name in ("kept", "shards")] == [False, True]
    assert run("build", heap, "-o", few, "-q", "--setting", "most_crop_files=1")[0] == 0, "it keeps its files"


def test_an_unknown_form_is_a_usage_error(run: Run, heap: Path, tmp_path: Path) -> None:
    assert run("build", heap, "-o", tmp_path / "out", "--crops-as", "zip")[0] == 2
    with pytest.raises(facesieve.UsageError, match="zip"):
        facesieve.build(heap, tmp_path / "out", crops_as="zip")
    assert not (tmp_path / "out").exists()
