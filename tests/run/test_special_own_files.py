"""A pipe, socket or device in place of a file of a dataset is damage. No command waits for it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from whole_dataset import again

from facesieve.dataset.disk.link import link_file
from facesieve.dataset.disk.own_file import open_own_file
from facesieve.dataset.disk.tar import is_complete, members_in, positions_in, read_at
from facesieve.dataset.manifests import open_manifests
from facesieve.errors import DatasetError
from facesieve.records import Verdict
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.run.open_dataset import open_dataset
from facesieve.run.rejudge import rejudge, write_rejudged
from facesieve.run.repair import repair_dataset
from facesieve.run.upgrade import upgrade
from facesieve.settings import Settings
from facesieve.sieve import Policy
from handmade import by_hand, files_in

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")

OWN = (
    *("dataset.json", "faces.parquet", "pictures.parquet", "kept/metadata.parquet", "contact_sheet.html"),
    *(".facesieve/made.json", ".facesieve/sums/published.txt", ".facesieve/sums/00000000.txt"),
    *(".facesieve/parts/00000000.parquet", ".facesieve/thumbs/00000000.parquet", ".facesieve/lock"),
    "kept/Ada/*.png",
)


@pytest.fixture(autouse=True)
def no_wait() -> Iterator[None]:
    """End a test that waits for a pipe. Every command here takes less than a second of work."""

    def stop(*_: object) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def sieve(heap: Path, root: Path) -> None:
    dataset = open_manifests(root)
    new = rejudge(dataset, by_hand(lambda measures: [Verdict(True)] * len(measures["blur"])))
    write_rejudged(dataset, new, root.parent / "new", Policy.load("lenient"), Settings())


def explain(heap: Path, root: Path) -> None:
    dataset = open_dataset(root)
    dataset.explain(dataset.faces["face_id"][0].as_py())


COMMANDS: dict[str, Callable[[Path, Path], object]] = {
    "build": again,
    "check": lambda heap, root: check_dataset(root),
    "repair": lambda heap, root: repair_dataset(root, Settings()),
    "sieve": sieve,
    "explain": explain,
    "forget": lambda heap, root: forget(root, ["Grace/002.png"], Settings()),
    "upgrade": lambda heap, root: upgrade(root),
}


def with_pipe(good: Path, root: Path, pattern: str) -> Path:
    """A copy of a dataset with a pipe in place of one of its files."""
    shutil.copytree(good, root)
    path = min(root.glob(pattern)) if "*" in pattern else root / pattern
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


ANSWERS = {"damaged_dataset", "missing_files", "missing_crop"}


@pytest.mark.parametrize("pattern", OWN)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_waits_for_a_pipe_in_place_of_a_file(
    heap: Path, good: Path, tmp_path: Path, command: str, pattern: str
) -> None:
    path = with_pipe(good, tmp_path / "out", pattern)
    try:
        COMMANDS[command](heap, tmp_path / "out")
    except DatasetError as error:
        assert error.code in ANSWERS and path.name in error.message
    assert not any(made.is_fifo() for made in (tmp_path / "new").rglob("*")), "no pipe is copied"


@pytest.mark.parametrize(
    ("command", "pattern"),
    [
        ("build", ".facesieve/parts/00000000.parquet"),
        ("build", ".facesieve/made.json"),
        ("sieve", "dataset.json"),
        ("sieve", "kept/Ada/*.png"),
        ("explain", "faces.parquet"),
        ("forget", ".facesieve/sums/00000000.txt"),
        ("upgrade", ".facesieve/sums/00000000.txt"),
    ],
)
def test_a_command_that_needs_the_file_names_it(
    heap: Path, good: Path, tmp_path: Path, command: str, pattern: str
) -> None:
    path = with_pipe(good, tmp_path / "out", pattern)
    with pytest.raises(DatasetError, match=path.name) as caught:
        COMMANDS[command](heap, tmp_path / "out")
    assert "not a" in caught.value.message and "--repair" in caught.value.message


@pytest.mark.parametrize("pattern", [name for name in OWN if name != ".facesieve/lock"])
def test_check_names_a_pipe_and_repair_and_a_build_replace_it(
    heap: Path, good: Path, tmp_path: Path, pattern: str
) -> None:
    root = tmp_path / "out"
    path = with_pipe(good, root, pattern)
    assert path.relative_to(root).as_posix() in {fault.name for fault in check_dataset(root).faults}
    repair_dataset(root, Settings())
    again(heap, root)
    assert files_in(root) == files_in(good)
    assert check_dataset(root).faults == ()


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_only_regular_files_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("file")
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            listening.bind("file")
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            path.mkdir()
        with pytest.raises(DatasetError, match=r"file is damaged: this is a .*, not a (regular )?file\.") as caught:
            open_own_file(path)
    assert caught.value.code == "damaged_dataset"


def test_a_pipe_in_place_of_a_tar_of_crops_is_not_complete_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "crops.tar"
    os.mkfifo(path)
    assert not is_complete(path)
    for read in (lambda: list(members_in(path)), lambda: list(positions_in(path)), lambda: read_at(path, 0, 1)):
        with pytest.raises(DatasetError, match="not a regular file"):
            read()


def test_a_pipe_is_not_linked_into_another_dataset(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "old.png")
    with pytest.raises(DatasetError, match="not a regular file") as caught:
        link_file(tmp_path / "old.png", tmp_path / "new" / "new.png", tmp_path / "scratch")
    assert caught.value.code == "missing_crop"
    assert not (tmp_path / "new" / "new.png").exists()
