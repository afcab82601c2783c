"""Merges that write their dataset into a bucket of a real S3 server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bucket_building import OUTPUTS, build_in_bucket
from s3_server import S3Server

from facesieve.dataset.disk.outputs import Outputs
from facesieve.run.build import build_dataset
from facesieve.run.merge import merge
from facesieve.run.portion import Portion
from facesieve.run.progress import StepProgress
from facesieve.settings import Settings
from handmade import Handmade, build_spec, files_in, photos, sources_in

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return photos(tmp_path_factory.mktemp("heap"), astronaut, count=8)


def parts_in(folder: Path, heap: Path, outputs: Outputs) -> list[Path]:
    parts = [folder / "part 1", folder / "part 2"]
    for number, part in enumerate(parts, 1):
        build_dataset(
            sources_in(heap),
            part,
            Handmade,
            build_spec(outputs, shard_size=3),
            named=[str(heap)],
            portion=Portion(number, 2),
        )
    return parts


def test_a_merge_into_a_bucket_writes_the_files_of_one_build_and_a_build_continues_it(
    s3: S3Server, heap: Path, tmp_path: Path, run: Run
) -> None:
    parts, url = parts_in(tmp_path, heap, OUTPUTS), f"{s3.folder()}data set 😀"
    status, said, errors = run("merge", *parts, "-o", url, "--work-folder", tmp_path / "work")
    assert status == 0, errors
    assert f"look at {url}/contact_sheet.html" in said.splitlines()
    assert f"copying {tmp_path / 'work'} to {url}" in errors.splitlines()
    build_dataset(sources_in(heap), tmp_path / "whole", Handmade, build_spec(OUTPUTS, shard_size=4))
    there = s3.objects(f"{url}/")
    assert {name: data for name, data in there.items() if not name.startswith(".facesieve/")} == files_in(
        tmp_path / "whole"
    )
    assert ".facesieve/merging" not in there
    assert build_in_bucket(heap, url, tmp_path / "other").progress.total == 0
    status, _, errors = run("merge", *parts, "-o", url, "--work-folder", tmp_path / "work")
    assert status == 2 and f"{url} is a dataset already. Name a new folder. [not_empty]" in errors


def test_parts_whose_crops_are_files_are_refused_before_anything_is_written(
    s3: S3Server, heap: Path, tmp_path: Path, run: Run
) -> None:
    parts, url = parts_in(tmp_path, heap, Outputs()), s3.folder()
    status, _, errors = run("merge", *parts, "-o", url)
    assert status == 2 and "Build the parts with --crops-as shards" in errors and "[files_in_bucket]" in errors
    assert s3.objects(url) == {}


def test_the_steps_of_a_merge_are_counted(heap: Path, tmp_path: Path) -> None:
    parts, seen = parts_in(tmp_path, heap, OUTPUTS), list[StepProgress]()
    merge(parts, tmp_path / "out", settings=Settings.load(), watch=seen.append)
    rows = len(sources_in(heap))
    assert seen[:2] == [StepProgress("pictures compared", rows), StepProgress("pictures compared", rows, rows)]
    steps = list(dict.fromkeys(one.what for one in seen))
    assert steps == ["pictures compared", "pictures taken over", "pictures written", "tar files packed"]
    for step in steps:
        counted = [one for one in seen if one.what == step]
        assert [one.done for one in counted] == sorted(one.done for one in counted)
        assert {one.total for one in counted} == {counted[-1].total} and counted[-1].total > 0
    assert seen[-1].done == seen[-1].total > 1
