"""An export is whole or not there: stopped, full, busy and foreign places are continued or refused in one sentence."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from facesieve.dataset.disk.layout import Layout
from facesieve.errors import DatasetError
from facesieve.export import pictures
from facesieve.export.export import export_dataset
from facesieve.export.formats import FORMATS
from facesieve.export.staging import Staging, folder_beside, staged
from facesieve.run.claim import lock_dataset
from facesieve.settings import Settings
from handmade import files_in

SMALL = Settings.load(export_shard=8)


class StopHere(BaseException):
    """Stands for a signal."""


@pytest.mark.parametrize("to", [name for name in FORMATS if name != "coco"])
@pytest.mark.parametrize("batches", [1, 3])
def test_an_export_that_was_stopped_is_continued_with_the_same_bytes(
    people: Path, tmp_path: Path, to: str, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_dataset(people, to, tmp_path / "whole", split="a=0.5,b=0.5", settings=SMALL)
    wanted = files_in(tmp_path / "whole")
    commit = Staging.commit

    def stopping(self: Staging) -> None:
        if self.done == batches:
            raise StopHere
        commit(self)

    monkeypatch.setattr(Staging, "commit", stopping)
    with pytest.raises(StopHere):
        export_dataset(people, to, tmp_path / "out", split="a=0.5,b=0.5", settings=SMALL)
    assert not (tmp_path / "out").exists() and folder_beside(tmp_path / "out").is_dir()
    written = []
    monkeypatch.setattr(Staging, "commit", lambda self: (written.append(self.done), commit(self))[1])
    export_dataset(people, to, tmp_path / "out", split="a=0.5,b=0.5", settings=SMALL)
    assert written[0] == batches, "finished batches are kept"
    assert files_in(tmp_path / "out") == wanted
    assert not folder_beside(tmp_path / "out").exists()


def test_another_export_to_the_same_place_starts_again(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Staging, "publish", lambda self: (_ for _ in ()).throw(StopHere))
        with pytest.raises(StopHere):
            export_dataset(people, "webdataset", tmp_path / "out", settings=SMALL)
    export_dataset(people, "csv", tmp_path / "out", settings=SMALL)
    assert sorted(files_in(tmp_path / "out")) == [
        *("README.md", "export.json", "labels.json", "selection.parquet", "train.csv")
    ]


def test_a_full_disk_in_mid_shard_is_one_sentence_and_the_export_can_be_continued(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = pictures.read_crops, [20]

    def until_full(*arguments: object) -> object:
        for data in real(*arguments):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            yield data

    with monkeypatch.context() as patch:
        patch.setattr(pictures, "read_crops", until_full)
        with pytest.raises(DatasetError) as caught:
            export_dataset(people, "webdataset", tmp_path / "out", settings=SMALL)
    assert caught.value.code == "cannot_write" and "No space left" in caught.value.message
    assert "the same command continues" in caught.value.message
    assert not (tmp_path / "out").exists()
    done = export_dataset(people, "webdataset", tmp_path / "out", settings=SMALL)
    assert done.faces > 20


@pytest.mark.parametrize("to", ["csv", "webdataset"])
def test_bytes_that_no_longer_fit_at_the_end_of_a_batch_are_one_sentence(people: Path, tmp_path: Path, to: str) -> None:
    export_dataset(people, to, tmp_path / "whole")
    largest = max(map(len, files_in(tmp_path / "whole").values()))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, hard))  # what is in the buffer is written last
    try:
        with pytest.raises(DatasetError) as caught:
            export_dataset(people, to, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "cannot_write" and "the same command continues it" in caught.value.message
    assert not (tmp_path / "out").exists()
    export_dataset(people, to, tmp_path / "out")
    assert files_in(tmp_path / "out") == files_in(tmp_path / "whole")


def test_places_that_cannot_be_written_are_refused(people: Path, copy: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    (tmp_path / "file").touch()
    for place, code in (
        (tmp_path / "full", "not_empty"),
        (tmp_path / "file", "not_a_folder"),
        (copy / "out", "inside_a_dataset"),
        (copy, "not_empty"),
    ):
        with pytest.raises(DatasetError) as caught:
            export_dataset(people, "csv", place)
        assert caught.value.code == code, place
    assert not [path for path in (*tmp_path.iterdir(), *copy.iterdir()) if path.name.endswith(".export")]


def test_a_link_to_an_empty_folder_stays_a_link(people: Path, tmp_path: Path) -> None:
    (tmp_path / "disk" / "out").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "out")
    export_dataset(people, "csv", tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "disk" / "out" / "train.csv").exists()
    assert sorted(path.name for path in (*tmp_path.iterdir(), *(tmp_path / "disk").iterdir())) == [
        "disk",
        "link",
        "out",
    ]
    (tmp_path / "broken").symlink_to(tmp_path / "nothing")
    with pytest.raises(DatasetError) as caught:
        export_dataset(people, "csv", tmp_path / "broken")
    assert caught.value.code == "not_a_folder"


def test_a_mounted_disk_itself_is_refused_before_anything_is_written(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "disk")
    with pytest.raises(DatasetError) as caught:
        export_dataset(people, "csv", tmp_path / "disk")
    assert caught.value.code == "is_a_mount" and [path.name for path in tmp_path.iterdir()] == ["disk"]
    assert export_dataset(people, "csv", tmp_path / "disk" / "out").faces > 0


KILLED = """
import os, signal, sys
from facesieve.export.export import export_dataset
from facesieve.export.staging import Staging
from facesieve.settings import Settings

write = Staging.commit

def commit(self):
    if self.done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    write(self)

Staging.commit = commit
export_dataset(sys.argv[1], "webdataset", sys.argv[2], settings=Settings.load(export_shard=8))
"""


def test_an_export_that_was_killed_is_continued_with_the_same_bytes(people: Path, tmp_path: Path) -> None:
    export_dataset(people, "webdataset", tmp_path / "whole", settings=SMALL)
    command = [sys.executable, "-c", KILLED, str(people), str(tmp_path / "out")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists() and folder_beside(tmp_path / "out").is_dir()
    export_dataset(people, "webdataset", tmp_path / "out", settings=SMALL)
    assert files_in(tmp_path / "out") == files_in(tmp_path / "whole")


def test_an_empty_folder_may_have_what_desktops_leave(people: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".gitignore").write_text("*")
    export_dataset(people, "csv", tmp_path / "out")
    assert (tmp_path / "out" / ".gitignore").read_text() == "*" and (tmp_path / "out" / "train.csv").exists()


def test_a_second_export_to_one_place_and_a_build_meanwhile_are_refused(
    people: Path, copy: Path, tmp_path: Path
) -> None:
    with staged(tmp_path / "out", "key"), pytest.raises(DatasetError) as caught:
        export_dataset(people, "csv", tmp_path / "out")
    assert caught.value.code == "in_use" and "Another export" in caught.value.message
    with lock_dataset(Layout(copy)), pytest.raises(DatasetError) as caught:
        export_dataset(copy, "csv", tmp_path / "other")
    assert caught.value.code == "in_use" and not (tmp_path / "other").exists()


def test_missing_and_damaged_crops_are_named(copy: Path, tmp_path: Path) -> None:
    victim = next((copy / "kept" / "Ada").glob("*.png"))
    data = victim.read_bytes()
    victim.write_bytes(data[:-1])
    with pytest.raises(DatasetError) as caught:
        export_dataset(copy, "imagefolder", tmp_path / "out")
    assert caught.value.code == "damaged_dataset" and victim.name in caught.value.message
    victim.unlink()
    with pytest.raises(DatasetError) as caught:
        export_dataset(copy, "recordio", tmp_path / "out")
    assert victim.name in caught.value.message and not (tmp_path / "out").exists()
