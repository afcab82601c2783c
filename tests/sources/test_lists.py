"""Lists of every dialect are read by one set of rules, or refused with one sentence that names the fault."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn import look, outcome, png, put

from facesieve.errors import UsageError
from facesieve.settings import Settings
from facesieve.sources import SourceOptions, find_sources

ROWS = [(1, "Anna"), (2, "Ben Müller")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for level in (1, 2, 3):
        put(tmp_path / "p" / f"{level}.png", level)
    return tmp_path


def read(folder: Path, name: str, data: str | bytes, **options: object) -> list[tuple[str | int, str]]:
    """Grey level (or refusal) and label of each row."""
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return [(outcome(source), source.label) for source in look(folder / name, **options).sources]


def notes(folder: Path, name: str, **options: object) -> list[str]:
    return look(folder / name, **options).notes


def code_and_message(folder: Path, name: str, data: str | bytes, **options: object) -> str:
    with pytest.raises(UsageError) as caught:
        read(folder, name, data, **options)
    assert caught.value.code == "bad_list"
    assert "\n" not in caught.value.message
    return caught.value.message


def table(separator: str, header: str = "path,label", end: str = "\n") -> str:
    rows = [header, *(f"p/{level}.png,{label}" for level, label in ROWS)]
    return "".join(row.replace(",", separator) + end for row in rows)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_header_shows_the_separator(folder: Path, separator: str, end: str) -> None:
    assert read(folder, "l.csv", table(separator, end=end)) == ROWS
    wide = f"id,path,age,label{end}7,p/1.png,30,Anna{end}".replace(",", separator)
    assert read(folder, "m.csv", wide) == [(1, "Anna")]


@pytest.mark.parametrize("name", ["l.tsv", "l.csv", "l.txt"])
def test_tabs_separate_in_every_kind_of_text_list(folder: Path, name: str) -> None:
    assert read(folder, name, table("\t")) == ROWS


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_tsv_without_tabs_is_read_with_the_separator_that_it_has(folder: Path, separator: str) -> None:
    assert read(folder, "l.tsv", table(separator)) == ROWS
    assert read(folder, "m.tsv", f"p/1.png{separator}Anna\np/2.png{separator}Ben Müller\n") == ROWS


def test_the_line_that_excel_writes_about_the_separator_counts(folder: Path) -> None:
    assert read(folder, "l.csv", "sep=;\r\n" + table(";", end="\r\n")) == ROWS


ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_first_bytes_show_the_encoding(folder: Path, encoding: str) -> None:
    mark = ENCODINGS[encoding]
    assert read(folder, "l.csv", mark + table(",").encode(encoding)) == ROWS
    assert read(folder, "l.txt", mark + "p/1.png\r\np/2.png\r\n".encode(encoding)) == [(1, ""), (2, "")]
    assert read(folder, "l.jsonl", mark + '{"path": "p/1.png", "label": "é"}\n'.encode(encoding)) == [(1, "é")]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_seen_without_its_mark(folder: Path, encoding: str) -> None:
    assert read(folder, "l.csv", table(",").encode(encoding)) == ROWS


@pytest.mark.parametrize(
    "path", ["path", "file", "filename", "file_name", "image", "image_path", "Image_Path", " PATH "]
)
@pytest.mark.parametrize("label", ["label", "person", "identity", "class", "name", "Label"])
def test_usual_names_of_columns_are_known_in_all_kinds_of_lists(folder: Path, path: str, label: str) -> None:
    assert read(folder, "l.csv", table(",", f"{path},{label}")) == ROWS
    lines = [json.dumps({label: who, path: f"p/{level}.png"}) for level, who in ROWS]
    assert read(folder, "l.jsonl", "\n".join(lines)) == ROWS
    pq.write_table(pa.table({path: ["p/1.png", "p/2.png"], label: [who for _, who in ROWS]}), folder / "l.parquet")
    found = look(folder / "l.parquet").sources
    assert [(outcome(source), source.label) for source in found] == ROWS


def test_columns_can_be_named(folder: Path) -> None:
    text = "where,who,path\np/1.png,Anna,p/3.png\n"
    assert read(folder, "l.csv", text, path_column="where", label_column="WHO") == [(1, "Anna")]
    assert notes(folder, "l.csv", path_column="where") == [f"{folder}/l.csv: columns not used: who, path"]
    assert "no column called 'place'. It has: where, who, path" in code_and_message(
        folder, "l.csv", text, path_column="place"
    )
    assert "no column called 'x'" in code_and_message(folder, "l.csv", text, label_column="x")
    (folder / "l.jsonl").write_text('{"where": "p/1.png", "who": "Anna"}\n')
    found = look(folder / "l.jsonl", path_column="where", label_column="who").sources
    assert [(outcome(source), source.label) for source in found] == [(1, "Anna")]


@pytest.mark.parametrize("header", ["path", "image_path", "File"])
@pytest.mark.parametrize("name", ["l.csv", "l.tsv", "l.txt"])
def test_one_column_may_have_a_header_or_none(folder: Path, name: str, header: str) -> None:
    assert read(folder, name, f"{header}\np/1.png\np/2.png\n") == [(1, ""), (2, "")]
    assert read(folder, name, "p/1.png\np/2.png\n") == [(1, ""), (2, "")]


def test_a_single_column_of_names_with_separators_is_one_column(folder: Path) -> None:
    put(folder / "p" / "a, b; c.png", 9)
    assert read(folder, "l.csv", "p/a, b; c.png\np/1.png\n") == [(9, ""), (1, "")]


def test_two_columns_without_a_header_are_paths_and_labels_and_reported(folder: Path) -> None:
    assert read(folder, "l.csv", "p/1.png;Anna\np/2.png;Ben Müller\n") == ROWS
    assert notes(folder, "l.csv") == [
        f"{folder}/l.csv has no header: column 1 was taken for paths, column 2 for labels"
    ]


def test_more_columns_without_a_header_are_chosen_by_number(folder: Path) -> None:
    text = "7,p/1.png,Anna\n8,p/2.png,Ben Müller\n"
    assert read(folder, "l.csv", text, path_column="2", label_column="3") == ROWS
    assert "take numbers from 1 to 3" in code_and_message(folder, "l.csv", text, path_column="4")
    assert "3 columns and no header" in code_and_message(folder, "l.csv", "p/1.png,Anna,7\n")


def test_unknown_columns_are_listed(folder: Path) -> None:
    read(folder, "l.csv", "path,age,label,width\np/1.png,3,Anna,9\n")
    assert notes(folder, "l.csv") == [f"{folder}/l.csv: columns not used: age, width"]
    assert "It has: id, age." in code_and_message(folder, "l.csv", "id,age\n1,2\n")
    assert "It has: name, age." in code_and_message(folder, "l.csv", "name,age\nanna,30\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('path,label\n"p/1.png,x\np/2.png,y\np/3.png,z\n', 2),
        ('path,label\np/1.png,x\n"p/2.png,y\n', 3),
        ('path,label\np/1.png,x\n"p/2.png,y\n"p/3.png,z\n', 3),
        ('path,label\np/1.png,"x\n' + "p/2.png,y\n" * 20_000, 2),
        ('path,label\n\n\np/1.png,x\n"p/2".png,y\n', 5),
    ],
)
def test_a_quote_that_is_not_closed_is_reported_with_its_line(folder: Path, text: str, line: int) -> None:
    assert f"has a quote on line {line} that is not closed" in code_and_message(folder, "l.csv", text)


def test_closed_quotes_may_hold_separators_and_line_breaks(folder: Path) -> None:
    put(folder / "p" / "a,\n1.png", 9)
    text = 'path,label\n"p/a,\n1.png",A\n "p/1.png", "An ""x"" na"\n'
    assert read(folder, "l.csv", text) == [(9, "A"), (1, 'An "x" na')]


@pytest.mark.parametrize("name", ["l.csv", "l.parquet", "l.tsv"])
def test_two_columns_of_one_name_are_one_sentence(folder: Path, name: str) -> None:
    if name == "l.parquet":
        pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["path", "path"]), folder / name)
        data: str | bytes = (folder / name).read_bytes()
    else:
        data = "path,path,label\na,b,c\n".replace(",", "\t" if name == "l.tsv" else ",")
    assert "has 2 columns called 'path'; rename all but one" in code_and_message(folder, name, data)


def test_paths_that_windows_wrote_are_found(folder: Path) -> None:
    assert read(folder, "l.csv", "path,label\np\\1.png,A\n") == [(1, "A")]


def test_only_the_bad_rows_of_json_are_refused(folder: Path) -> None:
    lines = [
        '{"path": "p/1.png", "label": 1}',
        '"p/2.png"',
        "",
        "not json",
        "[1]",
        '{"label": "x"}',
        '{"path": null}',
        '{"path": "p/3.png", "person": 2.0, "extra": 1}',
        '{"path": "\\ud800"}',
        '{"path": {"path": "p/1.png"}, "label": true}',
        "[" * 100_000,
    ]
    assert read(folder, "l.jsonl", "\n".join(lines)) == [
        *((1, "1"), (2, ""), ("bad_row", ""), ("bad_row", ""), ("bad_row", ""), ("bad_row", "")),
        *((3, "2"), ("bad_row", ""), (1, "true"), ("bad_row", "")),
    ]
    assert notes(folder, "l.jsonl") == [f"{folder}/l.jsonl: columns not used: extra"]


def test_only_the_line_that_is_too_long_is_refused(folder: Path) -> None:
    for name in ("l.txt", "l.csv", "l.jsonl"):
        start = {"l.csv": "path,label\n", "l.txt": "p/2.png\n", "l.jsonl": '"p/2.png"\n'}[name]
        rest = {"l.jsonl": '"p/1.png"\n'}.get(name, "p/1.png\n")
        results = [row[0] for row in read(folder, name, start + "x" * 1_000_000 + "\n" + rest)]
        assert results == ([2] if name != "l.csv" else []) + ["bad_row", 1]


# Parquet


def parquet(folder: Path, schema: pa.Schema | None = None, **columns: object) -> list[tuple[str | int, str]]:
    pq.write_table(pa.table(columns, schema=schema), folder / "l.parquet")
    return [(outcome(source), source.label) for source in look(folder / "l.parquet").sources]


PATHS = ["p/1.png", "p/2.png"]
# Pyarrow of the lowest version cannot cast to views, so it writes none.
VIEWS = pytest.mark.skipif(int(pa.__version__.split(".")[0]) < 20, reason="this pyarrow casts nothing to views")


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pytest.param(pa.string_view(), marks=VIEWS),
        pa.dictionary(pa.int32(), pa.string()),
    ],
)
def test_text_of_every_kind_is_paths_and_labels(folder: Path, kind: pa.DataType) -> None:
    assert parquet(folder, path=pa.array(PATHS).cast(kind), label=pa.array(["a", "b"]).cast(kind)) == [
        (1, "a"),
        (2, "b"),
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, None], pa.float64()), ["1", ""]),
        (pa.array([1.5, float("nan")]), ["1.5", ""]),
        (pa.array([7, None], pa.int64()), ["7", ""]),
        (pa.array([0, 1], pa.uint8()), ["0", "1"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["x", None]).dictionary_encode(), ["x", ""]),
        (pa.nulls(2), ["", ""]),
    ],
)
def test_labels_of_every_kind_are_text(folder: Path, values: pa.Array, expected: list[str]) -> None:
    assert [label for _, label in parquet(folder, path=PATHS, label=values)] == expected


def test_pictures_inside_a_list_are_read(folder: Path) -> None:
    images = [
        {"bytes": png(11), "path": "x/1.png"},
        {"bytes": png(12), "path": None},
        {"bytes": None, "path": "p/3.png"},
        {"bytes": None, "path": None},
        None,
    ]
    assert parquet(folder, image=images, label=[0, 1, 2, 3, 4]) == [
        *((11, "0"), (12, "1"), (3, "2"), ("bad_row", "3"), ("bad_row", "4"))
    ]
    found = look(folder / "l.parquet").sources
    assert [source.name.removeprefix(f"{folder}/") for source in found] == [
        *("l.parquet:1!x/1.png", "l.parquet:2", "p/3.png", "l.parquet:4", "l.parquet:5")
    ]
    assert len({source.key for source in found}) == 5
    assert found[0].fingerprint != found[1].fingerprint
    assert parquet(folder, image=[png(13), png(14)]) == [(13, ""), (14, "")]


def test_pictures_inside_a_list_are_bounded_and_leave_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = folder / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    pq.write_table(pa.table({"image": [png(1)] * 5}), folder / "l.parquet")
    found = find_sources([folder / "l.parquet"], Settings(max_unpacked_bytes=2 * len(png(1))), SourceOptions()).sources
    assert [outcome(source) for source in found] == [1, 1, *["too_many_bytes"] * 3]
    assert len(list(scratch.iterdir())) == 1
    del found
    assert list(scratch.iterdir()) == []


def test_classes_of_hugging_face_are_labels_by_name(folder: Path) -> None:
    features = {"info": {"features": {"label": {"names": ["anna", "ben"], "_type": "ClassLabel"}}}}
    schema = pa.schema([("path", pa.string()), ("label", pa.int64())], metadata={"huggingface": json.dumps(features)})
    assert parquet(folder, schema, path=[*PATHS, "p/3.png"], label=[1, 0, -1]) == [(1, "ben"), (2, "anna"), (3, "")]


def test_a_column_that_holds_neither_paths_nor_pictures_is_reported(folder: Path) -> None:
    for values in ([1, 2], [[1], [2]], [{"a": 1}, {"a": 2}]):
        with pytest.raises(UsageError, match="holds no paths and no pictures"):
            parquet(folder, path=values)


def test_a_list_whose_name_looks_like_an_address_is_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    pq.write_table(pa.table({"path": PATHS}), folder / "l.parquet")
    (folder / "l.parquet").rename(folder / "faces-10:30.parquet")
    assert [outcome(source) for source in look("faces-10:30.parquet").sources] == [1, 2]


def test_a_large_parquet_list_is_read_a_few_pictures_at_a_time(folder: Path) -> None:
    noise = np.random.default_rng(1)
    many = [png(5) + noise.bytes(200_000) for _ in range(100)]
    pq.write_table(pa.table({"image": many}), folder / "l.parquet", row_group_size=50)
    before = pa.total_allocated_bytes()
    found = look(folder / "l.parquet").sources
    assert [outcome(source) for source in found[::25]] == [5] * 4
    assert pa.total_allocated_bytes() - before < 10_000_000


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("first", ["http://127.0.0.1/a.jpg", "s3://bucket/a.jpg"])
def test_a_csv_without_a_header_whose_first_row_is_a_url_has_labels(tmp_path: Path, separator: str, first: str) -> None:
    pytest.importorskip("botocore")
    (tmp_path / "list.csv").write_text(f"{first}{separator}tony\nhttp://127.0.0.1/b.jpg{separator}ann\n")
    found = find_sources([str(tmp_path / "list.csv")], Settings())
    assert [(source.name, source.label) for source in found.sources] == [
        (first, "tony"),
        ("http://127.0.0.1/b.jpg", "ann"),
    ]


def test_a_url_with_a_comma_is_one_cell_in_quotes(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text('"http://127.0.0.1/a,b.jpg"\n"http://127.0.0.1/c,d.jpg"\n')
    found = find_sources([str(tmp_path / "list.csv")], Settings())
    assert [source.name for source in found.sources] == ["http://127.0.0.1/a,b.jpg", "http://127.0.0.1/c,d.jpg"]
