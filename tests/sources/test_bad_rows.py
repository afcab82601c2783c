"""Rows of a list that cannot be used are refused one by one, and text in an unexpected encoding is reported."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn import look, outcome, png, put

from facesieve.decode import decode_one
from facesieve.errors import UsageError
from facesieve.records import Refusal
from facesieve.settings import Settings

READ = [(1, "Anna"), (2, "Ben")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for level in (1, 2, 3):
        put(tmp_path / "p" / f"{level}.png", level)
    return tmp_path


def read(path: Path, data: str | bytes, **options: object) -> list[tuple[str | int, str]]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return [(outcome(source), source.label) for source in look(path, **options).sources]


def notes(path: Path, **options: object) -> list[str]:
    return [note.removeprefix(str(path)) for note in look(path, **options).notes]


def messages(path: Path) -> list[str]:
    results = [decode_one(source, Settings()) for source in look(path).sources]
    return [result.message for result in results if isinstance(result, Refusal)]


@pytest.mark.parametrize("name", ["l.csv", "l.tsv"])
@pytest.mark.parametrize("row", ["p/1.png,{}", "path,label,{}", "path,{},label"])
def test_a_first_row_with_a_cell_beyond_the_parsers_limit_is_one_sentence(folder: Path, name: str, row: str) -> None:
    text = row.format("x" * 150_000) + "\np/2.png,Ben\n"
    with pytest.raises(UsageError, match=r"first row .* a cell of more than 131,072 characters") as caught:
        read(folder / name, text.replace(",", "\t") if name == "l.tsv" else text)
    assert caught.value.code == "bad_list"


def test_a_first_row_of_many_cells_may_be_long(folder: Path) -> None:
    header = "path,label," + ",".join(f"column{number}" for number in range(15_000))
    assert len(header) > 131_072
    assert read(folder / "l.csv", f"{header}\np/1.png,Anna\np/2.png,Ben\n") == READ


@pytest.mark.parametrize("header", ["path,label\n", ""])
def test_a_row_with_more_cells_than_columns_is_refused(folder: Path, header: str) -> None:
    text = f"{header}p/1.png,Anna\np/2.png,Doe, John\np/3.png,Doe, Anna\np/2.png,Ben\n"
    assert read(folder / "l.csv", text) == [READ[0], ("bad_row", ""), ("bad_row", ""), READ[1]]
    told = messages(folder / "l.csv")
    assert told == ["The row has 3 cells, and the list has 2 columns; put a cell that holds a separator in quotes."] * 2


def test_empty_cells_at_the_end_are_no_fault(folder: Path) -> None:
    assert read(folder / "l.csv", "path,label\np/1.png,Anna,,\np/2.png,Ben, \n") == READ
    assert read(folder / "l.csv", "path,label,\np/1.png,Anna,\np/2.png,Ben,\n") == READ
    assert read(folder / "l.csv", "path,label\np/1.png,\n") == [(1, "")]
    assert notes(folder / "l.csv") == []


def test_a_row_that_ends_before_its_label_is_reported(folder: Path) -> None:
    text = "path,label\np/1.png,Anna\np/2.png\n"
    assert read(folder / "l.csv", text) == [(1, "Anna"), (2, "")]
    assert notes(folder / "l.csv") == [
        ": 1 row ends before the column of labels, first on line 3; such rows have no label"
    ]
    read(folder / "l.csv", "path,age,label\np/1.png,3\np/2.png\n")
    assert ": 2 rows end before the column of labels, first on line 2; such rows have no label" in notes(
        folder / "l.csv"
    )


def test_a_line_that_was_cut_is_not_taken_for_a_row(folder: Path) -> None:
    cells = ",".join(["x" * 100] * 3000)
    text = f"{'a,' * 3000}path,label\np/3.png,{cells},Anna\n{',' * 3000}p/1.png,Anna\n{',' * 3000}p/2.png,Ben\n"
    assert read(folder / "l.csv", text) == [("bad_row", ""), *READ]
    assert messages(folder / "l.csv") == ["The row is too long."]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.txt", "p/2.png\n{}\np/1.png\n"),
        ("l.csv", "path,label\np/2.png,Ben\n{}\np/1.png,Anna\n"),
        ("l.jsonl", '"p/2.png"\n{}\n"p/1.png"\n'),
    ],
)
def test_a_line_that_is_too_long_says_so_in_every_format(folder: Path, name: str, text: str) -> None:
    results = [row[0] for row in read(folder / name, text.format("x" * 1_000_000))]
    assert results == [2, "bad_row", 1]
    assert messages(folder / name) == ["The row is too long."]


def test_a_line_that_is_not_json_says_so(folder: Path) -> None:
    assert read(folder / "l.jsonl", '"p/1.png"\np/2.png\n') == [(1, ""), ("bad_row", "")]
    assert messages(folder / "l.jsonl") == ["The line is not JSON."]


@pytest.mark.parametrize("name", ["l.csv", "l.jsonl"])
def test_only_the_row_with_a_label_that_is_too_long_is_refused(folder: Path, name: str) -> None:
    rows = [("p/1.png", "Anna"), ("p/3.png", "x" * 40_000), ("p/2.png", "Ben")]
    lines = [f'{{"path": "{path}", "label": "{label}"}}' for path, label in rows]
    if name == "l.csv":
        lines = ["path,label", *(f"{path},{label}" for path, label in rows)]
    assert read(folder / name, "\n".join(lines)) == [READ[0], ("bad_row", ""), READ[1]]
    assert messages(folder / name) == ["The row's label has more than 32,767 characters."]


NESTED = "The row's label is a list or an object; write it as text, as a number, or as true or false."


def test_a_label_of_json_that_is_nested_is_refused_and_others_are_text(folder: Path) -> None:
    given = {'["a"]': "bad_row", '{"a": 1}': "bad_row", "[]": "bad_row", "{}": "bad_row"}
    given |= {'"[1]"': "[1]", "7.0": "7", "1.5": "1.5", "true": "true"}
    lines = [f'{{"path": "p/1.png", "label": {label}}}' for label in given]
    seen = read(folder / "l.jsonl", "\n".join(lines))
    assert seen == [("bad_row", "") if label == "bad_row" else (1, label) for label in given.values()]
    assert messages(folder / "l.jsonl") == [NESTED] * 4


def test_a_label_of_parquet_that_is_nested_is_refused_and_an_absent_one_is_none(folder: Path) -> None:
    for nested in ([[1, 2], None], [{"a": 1}, None], [[], None]):
        pq.write_table(pa.table({"path": ["p/1.png", "p/2.png"], "label": nested}), folder / "l.parquet")
        seen = [(outcome(source), source.label) for source in look(folder / "l.parquet").sources]
        assert seen == [("bad_row", ""), (2, "")]
        assert messages(folder / "l.parquet") == [NESTED]
    pairs = pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"path": ["p/1.png", "p/2.png"], "label": pairs}), folder / "l.parquet")
    assert messages(folder / "l.parquet") == [NESTED]


def test_a_blank_line_in_a_quoted_label_stays(folder: Path) -> None:
    assert read(folder / "l.csv", 'path,label\n\np/1.png,"Anna\n\nB"\n  \np/2.png,Ben\n') == [
        (1, "Anna\\n\\nB"),
        READ[1],
    ]
    assert read(folder / "l.txt", 'path\tlabel\n# x\np/1.png\t"Anna\n\n#B"\np/2.png\tBen\n') == [
        (1, "Anna\\n\\n#B"),
        READ[1],
    ]


def test_comments_are_counted_and_a_file_that_looks_like_one_is_taken(folder: Path) -> None:
    put(folder / "#1.png", 9)
    put(folder / "#2.png", 8)
    text = "# my list\n#1.png\np/1.png\n #2.png\n  # the end\n\n"
    assert read(folder / "l.txt", text) == [(9, ""), (1, ""), (8, "")]
    assert notes(folder / "l.txt") == [": skipped 2 lines that begin with #"]
    assert read(folder / "l.txt", "path\tlabel\n#1.png\tAnna\n#3.png\tBen\n") == [(9, "Anna")]
    assert notes(folder / "l.txt") == [": skipped 1 line that begins with #"]


# Encodings


NAMES = {
    "cp1252": ("André", "Müller"),
    "gbk": ("张三", "李四"),
    "shift_jis": ("山田", "表示"),
    "cp1251": ("Анна", "Иван"),
}


def listed(kind: str, encoding: str) -> bytes:
    first, second = NAMES[encoding]
    lines = {
        "l.csv": f"path,label\np/1.png,{first}\np/2.png,{second}\n",
        "l.txt": f"path\tlabel\np/1.png\t{first}\np/2.png\t{second}\n",
        "l.jsonl": f'{{"path": "p/1.png", "label": "{first}"}}\n{{"path": "p/2.png", "label": "{second}"}}\n',
    }
    return lines[kind].encode(encoding)


@pytest.mark.parametrize("kind", ["l.csv", "l.txt", "l.jsonl"])
@pytest.mark.parametrize("encoding", NAMES)
def test_text_in_another_encoding_is_reported_and_read_on_request(folder: Path, kind: str, encoding: str) -> None:
    data = listed(kind, encoding)
    read(folder / kind, data)
    assert notes(folder / kind) == [
        ": some rows are not UTF-8; --list-encoding chooses an encoding, such as cp1252, gbk or shift_jis"
    ]
    assert read(folder / kind, data, list_encoding=encoding) == list(zip((1, 2), NAMES[encoding], strict=True))
    assert notes(folder / kind, list_encoding=encoding) == []


def test_rows_that_are_not_in_the_chosen_encoding_are_reported(folder: Path) -> None:
    data = b"path,label\np/1.png,Anna\np/2.png,\xff\xff\n"
    assert read(folder / "l.csv", data, list_encoding="gbk")[0] == READ[0]
    assert notes(folder / "l.csv", list_encoding="gbk") == [
        ": some rows are not gbk; --list-encoding chooses another encoding"
    ]


def test_a_byte_order_mark_counts_more_than_the_option(folder: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        data = "path,label\np/1.png,Zoé\n".encode(encoding)
        assert read(folder / "l.csv", data, list_encoding="gbk") == [(1, "Zoé")]


@pytest.mark.parametrize(
    ("stored", "chosen", "result"),
    [("utf-8", "gbk", 7), ("gbk", "gbk", 7), ("gbk", None, 7), ("utf-8", None, "unreadable")],
)
def test_a_path_is_found_as_text_or_as_the_bytes_that_the_list_holds(
    folder: Path, stored: str, chosen: str | None, result: int | str
) -> None:
    name = os.path.join(os.fsencode(folder), "张三.png".encode(stored))  # noqa: PTH118 - bytes
    with open(name, "wb") as stream:  # noqa: PTH123 - bytes
        stream.write(png(7))
    for header in ("path,label\n", "") if result == 7 else ("path,label\n",):
        rows = read(folder / "l.csv", f"{header}张三.png,Anna\n".encode("gbk"), list_encoding=chosen)
        assert rows == [(result, "Anna")]


def test_an_encoding_of_lists_that_does_not_exist_is_an_error(folder: Path) -> None:
    for name in ("klingon", "hex", ""):
        with pytest.raises(UsageError) as caught:
            read(folder / "l.csv", "p/1.png\n", list_encoding=name)
        assert caught.value.code == "bad_encoding"
