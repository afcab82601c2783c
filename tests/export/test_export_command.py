"""`facesieve export` as a user meets it: words, streams, exit codes and notes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from facesieve.align import Aligner
from facesieve.dataset.tables.schema import LANDMARKS
from facesieve.decode import decode_one
from facesieve.export.export import export_dataset
from facesieve.export.formats import FORMATS
from facesieve.export.images import decoded
from facesieve.export.labels import folders
from facesieve.export.left_out import LeftOut
from facesieve.records import Faces, Photo
from facesieve.settings import Settings
from facesieve.sources.file import from_file

Run = Callable[..., tuple[int, str, str]]
PAGE = Path(__file__).parents[2] / "docs" / "export.md"


def test_an_export_says_what_is_in_it_and_what_was_left_out(run: Run, people: Path, tmp_path: Path) -> None:
    kept = int(np.asarray(pq.read_table(people / "faces.parquet")["kept"]).sum())
    status, out, err = run("export", people, "--to", "imagefolder", "-o", tmp_path / "out")
    assert status == 0
    assert re.fullmatch(rf"\d+ left out: rejected\n{kept} faces of 10 labels: train {kept}\n", out)
    assert f"{kept}/{kept} faces" in err
    status, out, err = run("export", people, "--verify", tmp_path / "out", "-q")
    assert (status, out, err) == (0, f"{kept} faces are as they were exported\n", "")
    status, out, _ = run("export", people, "--to", "csv", "-o", tmp_path / "two", "--json")
    assert json.loads(out)["splits"] == {"train": kept}
    assert json.loads(run("export", people, "--verify", tmp_path / "two", "--json")[1])["faces"] == kept


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("", "nothing_named"),
        ("--to csv", "nothing_named"),
        ("--to nothing -o {}", "unknown_format"),
        ("--to csv -o {} --split train=0.5,val=0.4", "bad_split"),
        ("--to csv -o {} --where yaw(", "bad_where"),
        ("--to csv -o {} --where label=='nobody'", "empty_selection"),
        ("--verify {}", "not_an_export"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_writes_nothing(
    run: Run, people: Path, tmp_path: Path, arguments: str, code: str
) -> None:
    status, out, err = run("export", people, *arguments.format(tmp_path / "out").split())
    assert (status, out) == (2, "") and err.endswith(f"[{code}]\n") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_no_dataset_is_one_sentence(run: Run, tmp_path: Path) -> None:
    status, _, err = run("export", tmp_path / "none", "--to", "csv", "-o", tmp_path / "out")
    assert status == 2 and "[not_a_dataset]" in err and list(tmp_path.iterdir()) == []


def test_another_size_is_cut_from_the_pictures_and_never_enlarged(
    people: Path, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(album)  # the names of the sources are relative
    export_dataset(people, "parquet", tmp_path / "out", size=64, settings=Settings.load(export_shard=16))
    rows = {row["face_id"]: row for row in pq.read_table(people / "faces.parquet").to_pylist()}
    for file in (tmp_path / "out").glob("train-*.parquet"):
        for face in pq.read_table(file).to_pylist():
            row = rows[face["face_id"]]
            photo = decode_one(from_file(Path(row["source"].replace("\\t", "\t"))), Settings())
            assert isinstance(photo, Photo)
            points = np.array([row[name] for name in LANDMARKS]).reshape(1, 5, 2)
            found = Faces(np.zeros(1, np.intp), np.zeros((1, 4)), np.ones(1), points)
            expected = Aligner("similarity", 64)([photo], found).crops[0]
            assert np.array_equal(decoded(face["image"]["bytes"]), expected)


def test_pictures_that_are_gone_or_changed_are_one_sentence(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facesieve.errors import DatasetError

    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError) as caught:
        export_dataset(people, "imagefolder", tmp_path / "out", size=64)
    assert caught.value.code == "no_pictures" and "There is no such file" in caught.value.message
    for row in pq.read_table(people / "faces.parquet").to_pylist():
        Path(row["source"]).parent.mkdir(exist_ok=True)
        Path(row["source"]).write_bytes(b"\x89PNG\r\n\x1a\nother")
    with pytest.raises(DatasetError) as caught:
        export_dataset(people, "imagefolder", tmp_path / "out", size=64)
    assert caught.value.code == "no_pictures" and not (tmp_path / "out").exists()


def test_a_hundred_thousand_labels_have_different_names() -> None:
    labels = [f"Person {number}" for number in range(50_000)] + [f"person {number}" for number in range(50_000)]
    assert len({name.casefold() for name in folders(labels)}) == 100_000
    plain = folders([*labels, "Person_1", "a\tb", "a b", "ä b"], plain=True)
    assert len({name.casefold() for name in plain}) == 100_004
    assert not any(any(char.isspace() for char in name) for name in plain)


def test_the_page_has_every_format_and_every_reason_with_its_sentence() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in FORMATS:
        assert f"`{name}`" in text
    for reason in LeftOut:
        assert f"| `{reason}` | {reason.sentence} |" in text
