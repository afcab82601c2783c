"""The arguments become a list of sources, and nothing is lost."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from facesieve.decode import decode, decode_one
from facesieve.errors import UsageError
from facesieve.records import Photo, Source
from facesieve.settings import Settings
from facesieve.sources import SourceOptions, as_sources, find_sources

SETTINGS = Settings()


def png(level: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 3), (level, level, level)).save(out, "PNG")
    return out.getvalue()


def fill(root: Path, names: Iterable[str]) -> Path:
    for level, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(level))
    return root


def outcome(source: Source) -> str | int:
    """The grey level of a source's picture, which tells which one it is, or its refusal's code."""
    result = decode_one(source, SETTINGS)
    return int(result.pixels[0, 0, 0]) if isinstance(result, Photo) else result.code


def names(sources: list[Source], root: Path) -> list[str]:
    return [os.path.relpath(source.name, root) for source in sources]


@pytest.fixture
def heap(tmp_path: Path) -> Path:
    return fill(tmp_path / "heap", ["b/2.png", "a/10.png", "a/9.jpg", "a/deep/x", "top.PNG"])


def test_a_folder_is_walked_in_name_order(heap: Path) -> None:
    found = find_sources([heap], SETTINGS).sources
    assert names(found, heap) == ["a/10.png", "a/9.jpg", "a/deep/x", "b/2.png", "top.PNG"]
    assert [outcome(source) for source in found] == [1, 2, 3, 0, 4]
    assert [source.label for source in found] == [""] * 5
    assert find_sources([heap], SETTINGS).sources == found


def test_labels_are_the_folder_below_the_root(heap: Path) -> None:
    assert [source.label for source in find_sources([heap], SETTINGS, SourceOptions("folder")).sources] == [
        "a",
        "a",
        "deep",
        "b",
        "",
    ]
    assert [
        source.label for source in find_sources([heap / "a" / "9.jpg"], SETTINGS, SourceOptions("folder")).sources
    ] == ["a"]


def test_names_are_as_the_user_typed_them(heap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(heap)
    assert [source.name for source in find_sources(["a/", "."], SETTINGS).sources][:3] == [
        "a/10.png",
        "a/9.jpg",
        "a/deep/x",
    ]
    assert [source.name for source in find_sources(["b/2.png"], SETTINGS).sources] == ["b/2.png"]


def test_a_path_that_two_arguments_reach_comes_once(heap: Path) -> None:
    found = find_sources([heap / "a", heap / "b" / ".." / "a" / "9.jpg", heap, heap / "*" / "*.png"], SETTINGS).sources
    assert len(found) == 5


def test_a_glob_matches_in_order_and_enters_folders(heap: Path) -> None:
    assert names(find_sources([str(heap / "**" / "*.png")], SETTINGS).sources, heap) == ["a/10.png", "b/2.png"]
    assert names(find_sources([str(heap / "[b]")], SETTINGS).sources, heap) == ["b/2.png"]


def test_a_name_that_looks_like_a_glob_but_exists_is_a_file(tmp_path: Path) -> None:
    fill(tmp_path, ["a[1].png", "a1.png"])
    assert names(find_sources([tmp_path / "a[1].png"], SETTINGS).sources, tmp_path) == ["a[1].png"]


def test_leftovers_are_left_out_and_everything_else_counts(tmp_path: Path) -> None:
    ignored = [".DS_Store", "Thumbs.db", "notes.txt", "x/y.JSON", ".git/HEAD", "__MACOSX/p.png", "._p.jpg"]
    fill(tmp_path, [*ignored, "p.jpg", "no_suffix", "wrong.exe"])
    (tmp_path / "inner.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    found = find_sources([tmp_path], SETTINGS).sources
    assert names(found, tmp_path) == ["no_suffix", "p.jpg", "wrong.exe"]


def test_a_file_named_outright_is_taken_whatever_its_name(tmp_path: Path) -> None:
    fill(tmp_path, [".hidden.json"])
    assert outcome(find_sources([tmp_path / ".hidden.json"], SETTINGS).sources[0]) == 0


def test_links_inside_are_followed_and_links_out_are_refused(tmp_path: Path, heap: Path) -> None:
    secret = fill(tmp_path / "secret", ["s.png"])
    (heap / "inward.png").symlink_to(heap / "b" / "2.png")
    (heap / "loop").symlink_to(heap)
    (heap / "outward.png").symlink_to(secret / "s.png")
    (heap / "outward").symlink_to(secret)
    (heap / "dangling.png").symlink_to(heap / "gone.png")
    (heap / "circle.png").symlink_to("circle.png")
    results = {os.path.relpath(source.name, heap): outcome(source) for source in find_sources([heap], SETTINGS).sources}
    assert len(results) == 10
    assert results["inward.png"] == 0
    assert results["outward.png"] == results["outward"] == "outside_tree"
    assert results["dangling.png"] == results["circle.png"] == "unreadable"


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert [outcome(source) for source in find_sources([tmp_path], SETTINGS).sources] == ["not_a_file"]


def test_a_name_that_is_not_utf8_is_escaped_and_still_opens(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(png(3))
    source = find_sources([tmp_path], SETTINGS).sources[0]
    assert source.name.isprintable()
    source.name.encode()
    assert outcome(source) == 3


def test_the_dataset_being_written_is_not_entered(heap: Path) -> None:
    assert names(find_sources([heap], SETTINGS, leave_out=[heap / "a"]).sources, heap) == ["b/2.png", "top.PNG"]


@pytest.mark.parametrize("missing", ["gone", "gone/*.jpg", "a/none-*.png"])
def test_a_missing_source_is_reported_before_any_work(heap: Path, missing: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_sources([heap, heap / missing], SETTINGS)
    assert caught.value.code == ("empty_source" if "*" in missing else "missing_source")
    assert missing in caught.value.message


@pytest.mark.parametrize("make", ["folder", "zip", "tar", "txt", "csv"])
def test_an_empty_source_is_reported_before_any_work(tmp_path: Path, make: str) -> None:
    path = tmp_path / f"nothing.{make}"
    if make == "folder":
        path.mkdir()
        (path / "readme.md").touch()
    elif make == "zip":
        zipfile.ZipFile(path, "w").close()
    elif make == "tar":
        tarfile.open(path, "w").close()
    else:
        path.touch()
    with pytest.raises(UsageError) as caught:
        find_sources([path], SETTINGS)
    assert caught.value.code == "empty_source"


def test_no_arguments_are_no_sources() -> None:
    assert find_sources([], SETTINGS).sources == []


def test_sources_travel_to_other_processes(heap: Path) -> None:
    found = find_sources([heap], SETTINGS).sources
    assert [outcome(source) for source in pickle.loads(pickle.dumps(found))] == [1, 2, 3, 0, 4]


def test_a_fingerprint_changes_with_the_file(heap: Path) -> None:
    file = heap / "top.PNG"
    before = find_sources([file], SETTINGS).sources[0].fingerprint
    status = file.stat()
    assert before == f"{status.st_size}-{status.st_mtime_ns}@{status.st_ctime_ns}"
    os.utime(file, ns=(1, 1))
    assert find_sources([file], SETTINGS).sources[0].fingerprint != before


def test_python_callers_hand_in_paths_bytes_and_arrays(heap: Path) -> None:
    array = np.full((2, 2, 3), 9, np.uint8)
    sources = as_sources([heap / "top.PNG", str(heap / "gone.png"), png(7), array, Source("mine")])
    assert [outcome(source) for source in sources] == [4, "unreadable", 7, 9, "unreadable"]
    assert [source.name for source in sources[2:]] == ["<bytes 2>", "<array 3>", "mine"]
    with pytest.raises(UsageError) as caught:
        as_sources([3])  # type: ignore[list-item]
    assert caught.value.code == "bad_picture"


# Lists


def listed(tmp_path: Path, name: str, text: str | bytes) -> list[Source]:
    file = fill(tmp_path, ["pics/a.png", "pics/b, b.png"]) / "lists" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return find_sources([file], SETTINGS).sources


def test_a_text_list_has_a_path_a_line(tmp_path: Path) -> None:
    text = f"# mine\n\n../pics/a.png\r\n  ../pics/gone.png\n{tmp_path}/pics/b, b.png\n"
    found = listed(tmp_path, "l.txt", "\ufeff" + text)
    assert [outcome(source) for source in found] == [0, "unreadable", 1]
    assert found[0].name == f"{tmp_path}/lists/../pics/a.png"


def test_a_csv_list_has_a_path_column_and_perhaps_labels(tmp_path: Path) -> None:
    text = 'Label,Filename\nanna,../pics/a.png\nben,"../pics/b, b.png"\nshort\n,\ncarl,../pics/gone.png\n'
    found = listed(tmp_path, "l.csv", text)
    assert [outcome(source) for source in found] == [0, 1, "bad_row", "bad_row", "unreadable"]
    assert [source.label for source in found] == ["anna", "ben", "short", "", "carl"]
    assert found[2].name.endswith("l.csv:4")


def test_a_csv_of_one_column_needs_no_header(tmp_path: Path) -> None:
    assert [outcome(source) for source in listed(tmp_path, "l.csv", "../pics/a.png\n")] == [0]
    assert [outcome(source) for source in listed(tmp_path, "m.csv", "path\n../pics/a.png\n")] == [0]


def test_only_the_row_that_is_no_text_is_refused(tmp_path: Path) -> None:
    found = listed(tmp_path, "l.csv", b"path\n../pics/\xff\xfe.png\n../pics/nul\0.png\n../pics/a.png\n")
    assert [outcome(source) for source in found][0::2] == ["unreadable", 0]
    assert outcome(found[1]) == "bad_row"


def test_only_the_csv_row_beyond_the_parsers_limit_is_refused(tmp_path: Path) -> None:
    found = listed(tmp_path, "l.csv", "path\n" + "x" * 200_000 + "\n../pics/a.png\n")
    assert [outcome(source) for source in found] == ["bad_row", 0]


def test_a_csv_without_a_path_column_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        listed(tmp_path, "l.csv", "id,label\n1,anna\n")
    assert caught.value.code == "bad_list"


def test_a_parquet_list_has_paths_and_perhaps_labels(tmp_path: Path) -> None:
    fill(tmp_path, ["pics/a.png"])
    table = pyarrow.table({"label": [1, None, 3], "image": ["pics/a.png", None, "pics/gone.png"]})
    pyarrow.parquet.write_table(table, tmp_path / "l.parquet")
    found = find_sources([tmp_path / "l.parquet"], SETTINGS).sources
    assert [outcome(source) for source in found] == [0, "bad_row", "unreadable"]
    assert [source.label for source in found] == ["1", "", "3"]


def test_a_parquet_list_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "l.parquet").write_bytes(b"PAR1 not")
    pyarrow.parquet.write_table(pyarrow.table({"path": [1, 2]}), tmp_path / "m.parquet")
    codes = []
    for name in ("l.parquet", "m.parquet"):
        with pytest.raises(UsageError) as caught:
            find_sources([tmp_path / name], SETTINGS)
        codes.append(caught.value.code)
    assert codes == ["unreadable_list", "bad_list"]


def test_many_sources_of_every_kind_balance(tmp_path: Path, heap: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("in/z.png", png(8))
    (tmp_path / "l.txt").write_text("heap/top.PNG\ngone.jpg\n")
    found = find_sources([heap, tmp_path / "z.zip", tmp_path / "l.txt"], SETTINGS).sources
    decoded = decode(found, SETTINGS)
    assert (len(decoded.photos), len(decoded.results)) == (6, 7)
    assert len(found) == 7
