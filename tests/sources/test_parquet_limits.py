"""A small Parquet file takes little memory and disk, whatever it unpacks to, and odd cells are reported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn import look, outcome, png, put

from facesieve.errors import UsageError
from facesieve.settings import Settings
from facesieve.sources import SourceOptions, find_sources

LARGE = 1 << 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for level in (1, 2, 3):
        put(tmp_path / "p" / f"{level}.png", level)
    return tmp_path


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder, empty."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def repeated(value: str | bytes, times: int) -> pa.Array:
    """A column that holds a value once and names it in every row."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([value]))


def write(path: Path, columns: dict[str, object], **how: object) -> Path:
    pq.write_table(pa.table(columns), path, dictionary_pagesize_limit=LARGE, **how)  # type: ignore[arg-type]
    return path


def read(folder: Path, **columns: object) -> list[tuple[str | int, str]]:
    write(folder / "l.parquet", columns)
    return [(outcome(source), source.label) for source in look(folder / "l.parquet").sources]


def codes(found: list[object]) -> list[str]:
    return [str(getattr(getattr(source, "open", None), "code", "")) for source in found]


_MEASURED = """
import resource, sys
from facesieve.settings import Settings
from facesieve.sources import SourceOptions, find_sources
import facesieve.sources.lists.parquet
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = find_sources(sys.argv[1:], Settings(), SourceOptions()).sources
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(found), *{str(source.open.code) for source in found}, after - before)
"""


@pytest.mark.parametrize("column", ["path", "label"])
@pytest.mark.parametrize("schema", [True, False])
def test_one_long_text_in_many_rows_costs_little_memory(tmp_path: Path, column: str, schema: bool) -> None:
    columns = {"path": ["1.png"] * 20_000} | {column: repeated("x" * 4_000_000, 20_000)}
    path = write(tmp_path / "l.parquet", columns, store_schema=schema)
    assert path.stat().st_size < 1_000_000
    run = subprocess.run(
        [sys.executable, "-c", _MEASURED, path], capture_output=True, text=True, check=True, timeout=60
    )
    rows, code, kilobytes = run.stdout.split()
    assert (rows, code) == ("20000", "bad_row")
    assert int(kilobytes) < 200_000


@pytest.mark.parametrize("schema", [True, False])
def test_one_picture_in_many_rows_fills_no_disk(tmp_path: Path, scratch: Path, schema: bool) -> None:
    columns = {"image": repeated(b"x" * 1_000_000, 2_000), "label": ["A"] * 2_000}
    path = write(tmp_path / "l.parquet", columns, store_schema=schema)
    most = max(2_000_000, 100 * path.stat().st_size)
    found = find_sources([path], Settings(max_file_bytes=2_000_000), SourceOptions()).sources
    assert len(found) == 2_000
    assert {source.label for source in found} == {"A"}
    [held] = scratch.iterdir()
    assert 0 < held.stat().st_size <= most < 100_000_000
    assert codes(found)[-1] == "too_many_bytes"
    assert codes(found).count("too_many_bytes") == 2_000 - held.stat().st_size // 1_000_000


def test_rows_that_unpack_to_very_much_more_than_the_list_has_are_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "l.parquet", {"image": [b"x" * 10_000_000] * 30}, use_dictionary=False, compression="zstd")
    with pytest.raises(UsageError, match=r"Rows of the list .* unpack to 300,000,") as caught:
        look(path)
    assert caught.value.code == "bad_list"


def test_rows_that_no_byte_holds_are_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "l.parquet", {"path": pa.nulls(3_000_000)})
    with pytest.raises(UsageError, match="claims 3,000,000 rows in ") as caught:
        look(path)
    assert caught.value.code == "bad_list"


def test_a_lack_of_memory_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broke(*_: object, **__: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 9 failed")

    path = write(folder / "l.parquet", {"path": ["p/1.png"]})
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", broke)
    with pytest.raises(UsageError, match="not enough memory to read the list") as caught:
        look(path)
    assert caught.value.code == "unreadable_list"


def test_damaged_statistics_of_a_column_do_not_end_the_process(tmp_path: Path) -> None:
    """Arrow would: it throws through code that does not catch."""
    path = write(tmp_path / "l.parquet", {"path": ["a", "b", "c"] * 9, "label": ["x", "y", None] * 9})
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    probe = "import sys; from facesieve.sources import find_sources; from facesieve.settings import Settings\n"
    probe += (
        "for path in sys.argv[1:]:\n    try: find_sources([path], Settings()).sources\n    except Exception: pass\n"
    )
    paths = []
    for at in range(footer, len(data) - 8, 2):
        paths.append(tmp_path / f"{at}.parquet")
        paths[-1].write_bytes(data[:at] + bytes([data[at] ^ 0x11]) + data[at + 1 :])
    run = subprocess.run([sys.executable, "-c", probe, *paths], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")


def test_rows_that_a_damaged_list_counts_and_lacks_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "l.parquet", {"path": [f"{number}.png" for number in range(27)]})
    data = path.read_bytes()
    counted = [at for at in range(len(data)) if data[at] == 27 << 1]  # as the footer holds it (zigzag of Thrift)
    assert counted
    for at in counted:
        path.write_bytes(data[:at] + bytes([11 << 1]) + data[at + 1 :])
        try:
            assert len(look(path).sources) == 27
        except UsageError as error:
            assert error.code == "unreadable_list"


def test_only_rows_with_long_paths_or_labels_are_refused(folder: Path) -> None:
    assert read(
        folder,
        path=["p/1.png", "x" * 40_000, "p/2.png", "p/3.png"],
        label=["a", "b", "x" * 40_000, "d"],
    ) == [(1, "a"), ("bad_row", "b"), ("bad_row", ""), (3, "d")]
    images = [{"bytes": png(1), "path": "x" * 40_000}, {"bytes": png(2), "path": "2.png"}]
    assert read(folder, image=images) == [("bad_row", ""), (2, "")]


# Odd cells


def classes(folder: Path, names: object, labels: list[int | None]) -> tuple[list[str], list[str]]:
    """Labels and notes."""
    about = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    path = folder / "l.parquet"
    table = pa.table({"path": ["p/1.png", "p/2.png", "p/3.png"], "label": labels})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(about)}), path)
    found = look(path)
    return [source.label for source in found.sources], [note.removeprefix(str(path)) for note in found.notes]


def test_a_class_without_a_name_is_reported(folder: Path) -> None:
    labels, notes = classes(folder, ["anna", "ben"], [0, 7, 2])
    assert labels == ["anna", "", ""]
    assert notes == [": 2 rows have classes without a name, first number 7 in row 2; such rows have no label"]
    assert classes(folder, ["anna", "ben"], [1, -1, None]) == (["ben", "", ""], [])


def test_names_of_classes_by_number_are_labels(folder: Path) -> None:
    labels, notes = classes(folder, {"0": "anna", "2": "carl"}, [0, 1, 2])
    assert labels == ["anna", "", "carl"]
    assert notes == [": 1 row has a class without a name, first number 1 in row 2; such rows have no label"]


@pytest.mark.parametrize("names", ["ab", 7, {"x": "anna"}])
def test_names_of_classes_that_cannot_be_read_are_reported(folder: Path, names: object) -> None:
    labels, notes = classes(folder, names, [0, 1, 2])
    assert labels == ["0", "1", "2"]
    assert notes == [": the names of its classes cannot be read; their numbers are the labels"]


# Pyarrow of the lowest version cannot cast to views, so it writes none.
VIEWS = pytest.mark.skipif(int(pa.__version__.split(".")[0]) < 20, reason="this pyarrow casts nothing to views")


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pytest.param(pa.binary_view(), marks=VIEWS)])
def test_paths_that_are_stored_as_bytes_are_paths(folder: Path, kind: pa.DataType) -> None:
    put(folder / "山田.png", 4)
    paths = [b"p/1.png", "山田.png".encode(), None, b"gone.png"]
    assert read(folder, path=pa.array(paths, pa.binary()).cast(kind), label=["a", "b", "c", "d"]) == [
        *((1, "a"), (4, "b"), ("bad_row", "c"), ("unreadable", "d"))
    ]


def test_pictures_and_paths_may_stand_in_one_column_of_bytes(folder: Path) -> None:
    assert read(folder, image=[png(9), b"p/2.png", b"", b"P2\n1 1\n255\n7\n"]) == [
        *((9, ""), (2, ""), ("empty", ""), (7, ""))
    ]
