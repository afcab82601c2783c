from __future__ import annotations

from pathlib import Path

import pytest

from facesieve.dataset.disk.atomic import open_for_writing, sync_folders, write_file_durably
from facesieve.errors import DatasetError


def test_a_file_is_written_whole_and_its_folder_is_created(tmp_path: Path) -> None:
    write_file_durably(b"first", tmp_path / "a" / "b" / "file", tmp_path / "scratch")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"first"
    write_file_durably(b"second", tmp_path / "a" / "b" / "file", tmp_path / "scratch")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"second"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_old_file_stays_until_the_end_and_after_a_failure(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), open_for_writing(target, tmp_path / "scratch") as stream:
        stream.write(b"half")
        stream.flush()
        assert target.read_bytes() == b"old"
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_failed_write_is_one_sentence_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError) as caught:
        write_file_durably(b"", tmp_path / "file" / "below", tmp_path / "scratch")
    assert caught.value.code == "cannot_write"
    assert caught.value.message == f"Cannot write {tmp_path / 'file' / 'below'}: File exists."


def test_every_folder_up_to_the_root_is_synced_once_after_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    write_file_durably(b"", tmp_path / "a" / "x", tmp_path / "scratch")
    write_file_durably(b"", tmp_path / "a" / "b" / "y", tmp_path / "scratch")
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())))
    sync_folders([tmp_path / "a" / "x", tmp_path / "a" / "b" / "y"], tmp_path)
    assert synced == [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")]
