"""What a dataset has already is known by identity; what version 0.1.0 wrote is matched by name."""

from __future__ import annotations

import os
import shutil
import unicodedata
import zipfile
from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.names import normalized_text
from facesieve.records import Source
from facesieve.run.build import build_dataset
from facesieve.run.known import unfinished
from facesieve.run.ledger import Ledger
from facesieve.run.upgrade import upgrade
from facesieve.settings import Settings
from facesieve.sources import SourceOptions, find_sources
from facesieve.sources.identity import former_identity
from handmade import Handmade, build_spec, files_in
from unnumbered import without_number

PORTRAITS = 4


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    """Pictures of different people, two of them with names that version 0.1.0 spelled in another way."""
    pixels = cv2.imread(str(astronaut))
    for at, name in enumerate(("anna/1.png", "ben/2.png", "ben/山田　太郎.png", "ben/Jose\u0301.png")):
        path = tmp_path / "heap" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", pixels[at * 5 : at * 5 + 160, at * 7 : at * 7 + 120])[1].tobytes())
    return tmp_path / "heap"


def found(*arguments: str | Path, label_from: str = "folder") -> list[Source]:
    return find_sources(arguments, Settings(), SourceOptions(label_from)).sources


def done(sources: list[Source], root: Path) -> list[str]:
    """Names of the pictures that a build looks at."""
    worker = Handmade()
    build_dataset(
        sources, root, lambda: worker, build_spec(), allow_mixed_engines=True
    )  # of upgraded datasets it is not known
    return worker.seen


def rows(root: Path) -> list[tuple[str, str, str | None]]:
    table = pq.read_table(root / "pictures.parquet", columns=["source", "label", "refusal"])
    return [tuple(row.values()) for row in table.to_pylist()]


def as_version_0_1_0(root: Path) -> None:
    """Make it a dataset that version 0.1.0 wrote and that was upgraded.

    That version escaped and composed names, and wrote no identity, time of change or sums.
    """

    def part(table: pa.Table) -> pa.Table:
        table = table.drop_columns(["identity"])
        for name, change in (("source", former), ("fingerprint", lambda text: text.partition("@")[0])):
            at = table.schema.get_field_index(name)
            values = [change(value) for value in table[name].to_pylist()]
            table = table.set_column(at, name, pa.array(values, pa.string()))
        return table

    assert upgrade(without_number(root, part, sums=False))


def former(name: str) -> str:
    escaped = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)
    return normalized_text(escaped)


def test_nothing_is_done_twice_however_the_pictures_are_named(
    heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(done(found("heap"), tmp_path / "out")) == PORTRAITS
    before = files_in(tmp_path / "out")
    for spelling in ("heap", heap, "heap/../heap", "heap/*"):
        assert done(found(spelling), tmp_path / "out") == []
    assert files_in(tmp_path / "out") == before


def test_the_same_relative_name_from_another_folder_replaces_nothing(
    heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(heap / "anna")
    (heap / "ben" / "2.png").rename(heap / "ben" / "1.png")
    assert done(found("1.png", label_from="none"), tmp_path / "out") == ["1.png"]
    monkeypatch.chdir(heap / "ben")
    assert done(found("1.png", label_from="none"), tmp_path / "out") == ["1.png"]
    assert [row[0] for row in rows(tmp_path / "out")] == [f"{heap}/anna/1.png", f"{heap}/ben/1.png"]


def test_names_that_are_spelled_alike_are_two_rows(heap: Path, tmp_path: Path) -> None:
    (heap / "anna" / "1.png").rename(heap / "x\ny.png")
    (heap / "ben" / "2.png").rename(heap / "x\\ny.png")
    done(found(heap), tmp_path / "out")
    names = [row[0] for row in rows(tmp_path / "out")]
    assert names[2:] == [f"{heap}/x\\ny.png", f"{heap}/x\\ny.png (2)"]


def test_composed_and_decomposed_names_are_two_rows(heap: Path, tmp_path: Path) -> None:
    (heap / "ben" / "2.png").rename(heap / "ben" / "Jos\u00e9.png")
    done(found(heap), tmp_path / "out")
    names = {row[0] for row in rows(tmp_path / "out")}
    assert {f"{heap}/ben/Jos\u00e9.png", f"{heap}/ben/Jose\u0301.png"} <= names


def change(path: Path) -> None:
    """Another picture of the same size and time of writing, as `exiftool -P` and `rsync -t` leave it."""
    status, data = path.stat(), bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)


@pytest.mark.parametrize("old", [False, True])
def test_an_edit_that_keeps_size_and_time_is_seen(heap: Path, tmp_path: Path, old: bool) -> None:
    done(found(heap), tmp_path / "out")
    if old:
        as_version_0_1_0(tmp_path / "out")
    change(heap / "anna" / "1.png")
    assert f"{heap}/anna/1.png" in done(found(heap), tmp_path / "out")
    assert done(found(heap), tmp_path / "out") == []


def test_a_file_that_was_only_touched_is_compared_once_and_not_done_again(heap: Path, tmp_path: Path) -> None:
    done(found(heap), tmp_path / "out")
    before = files_in(tmp_path / "out")
    for path in heap.rglob("*.png"):
        path.chmod(0o600)
    opened: list[str] = []

    def watched(source: Source) -> Source:
        def look() -> object:
            opened.append(source.name)
            return source.open()  # type: ignore[misc]

        return Source(source.name, source.label, look, source.fingerprint, identity=source.identity)  # type: ignore[arg-type]

    sources = [watched(source) for source in found(heap)]
    assert done(sources, tmp_path / "out") == []
    assert len(opened) == PORTRAITS
    assert done(sources, tmp_path / "out") == []
    assert len(opened) == PORTRAITS, "what was learnt is in the ledger"
    assert files_in(tmp_path / "out") == before


def test_a_file_that_cannot_be_compared_is_done_again(heap: Path, tmp_path: Path) -> None:
    done(found(heap), tmp_path / "out")
    (heap / "anna" / "1.png").chmod(0o600)
    sources = found(heap)
    (heap / "anna" / "1.png").unlink()
    ledger = Ledger(Layout(tmp_path / "out"))
    assert [source.name for source in unfinished(sources, ledger, 1 << 30)] == [f"{heap}/anna/1.png"]


def test_a_dataset_of_version_0_1_0_is_continued_by_name(
    heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done(found("heap"), tmp_path / "out")
    now = files_in(tmp_path / "out")
    as_version_0_1_0(tmp_path / "out")
    renamed = done(found("heap"), tmp_path / "out")
    assert renamed == [f"heap/ben/{unicodedata.normalize('NFD', 'José')}.png", "heap/ben/山田　太郎.png"]
    assert done(found("heap"), tmp_path / "out") == []
    now["dataset.json"] = files_in(tmp_path / "out")["dataset.json"]  # says that its engine is unknown
    assert files_in(tmp_path / "out") == now


def test_rows_of_version_0_1_0_get_identities_and_are_then_known_from_anywhere(
    heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done(found("heap/anna"), tmp_path / "out")
    as_version_0_1_0(tmp_path / "out")
    assert done(found("heap/anna"), tmp_path / "out") == []
    monkeypatch.chdir(heap)
    assert done(found("anna"), tmp_path / "out") == []
    assert [row[0] for row in rows(tmp_path / "out")] == ["heap/anna/1.png"]


def test_rows_of_version_0_1_0_that_are_not_named_stay(heap: Path, tmp_path: Path) -> None:
    done(found(heap), tmp_path / "out")
    before = rows(tmp_path / "out")
    as_version_0_1_0(tmp_path / "out")
    assert done(found(heap / "anna"), tmp_path / "out") == []
    assert [(name, label) for name, label, _ in rows(tmp_path / "out")] == [
        (former(name), label) for name, label, _ in before
    ]


def test_an_older_row_of_the_same_picture_does_not_come_back(heap: Path, tmp_path: Path) -> None:
    done(found(heap / "anna"), tmp_path / "out")
    path = heap / "anna" / "1.png"
    path.write_bytes((heap / "ben" / "2.png").read_bytes())
    done(found(heap / "anna"), tmp_path / "out")
    as_version_0_1_0(tmp_path / "out")
    assert len(Ledger(Layout(tmp_path / "out")).numbers()) == 2
    assert done(found(heap / "anna"), tmp_path / "out") == []
    assert len(rows(tmp_path / "out")) == 1


def test_a_label_that_changed_is_done_again(heap: Path, tmp_path: Path) -> None:
    done(found(heap, label_from="none"), tmp_path / "out")
    assert len(done(found(heap), tmp_path / "out")) == PORTRAITS
    assert {row[1] for row in rows(tmp_path / "out")} == {"anna", "ben"}


def test_a_part_that_is_rewritten_still_says_when_its_pictures_were_read(heap: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(found(heap), out)
    as_version_0_1_0(out)
    before = Ledger(Layout(out)).written(0)
    change(heap / "ben" / "2.png")
    done(found(heap / "anna"), out)
    assert Ledger(Layout(out)).written(0) == before
    assert f"{heap}/ben/2.png" in done(found(heap), out)


def as_before_nul_bytes(root: Path) -> None:
    """Rewrite the ledger with identities as they were when nothing stood between an archive and its member."""
    shutil.rmtree(Layout(root).sums)
    for path in Layout(root).parts.glob("*.parquet"):
        table = pq.read_table(path)
        before = [former_identity(value) or value for value in table["identity"].to_pylist()]
        assert not any(b"\0" in value.removesuffix(b"\x002") for value in before)
        at = table.schema.get_field_index("identity")
        pq.write_table(table.set_column(at, "identity", pa.array(before, pa.binary())), path)


@pytest.fixture
def packed(heap: Path, tmp_path: Path) -> list[Path]:
    """An archive with one name twice, and a list that holds a picture."""
    one, two = heap / "anna" / "1.png", heap / "ben" / "2.png"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(one, "x.png")
        with pytest.warns(UserWarning):
            archive.write(two, "x.png")
    pq.write_table(pa.table({"image": [(heap / "ben" / "山田　太郎.png").read_bytes()]}), tmp_path / "l.parquet")
    return [tmp_path / "a.zip", tmp_path / "l.parquet"]


def test_a_dataset_with_identities_of_the_former_kind_is_continued(packed: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert len(done(found(*packed), out)) == 3
    before, now = rows(out), files_in(out)
    as_before_nul_bytes(out)
    assert done(found(*packed), out) == []
    assert (rows(out), files_in(out)) == (before, now)
    keys = {value for path in Layout(out).parts.glob("*") for value in pq.read_table(path)["identity"].to_pylist()}
    assert keys == {source.key for source in found(*packed)}


def test_prune_does_not_take_identities_of_the_former_kind_for_gone(packed: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(found(*packed), out)
    before, now = rows(out), files_in(out)
    as_before_nul_bytes(out)
    named = [str(path) for path in packed]
    pipeline = Handmade()
    result = build_dataset(found(*packed), out, lambda: pipeline, build_spec(), named=named, prune=True)
    assert (result.gone, pipeline.seen) == ((), [])
    assert (rows(out), files_in(out)) == (before, now)


def test_a_row_that_may_be_a_files_is_not_taken_for_a_members(packed: list[Path], heap: Path, tmp_path: Path) -> None:
    out, beside = tmp_path / "out", tmp_path / "a.zip!x.png"
    shutil.copy(heap / "ben" / "Jose\u0301.png", beside)
    done(found(beside), out)
    assert len(done(found(packed[0], beside), out)) == 2
    assert done(found(packed[0], beside), out) == []
    names = [row[0] for row in rows(out)]
    assert len(set(names)) == len(names) == 3
    assert all("\\x00" not in name for name in names)
