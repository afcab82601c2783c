"""Verification pairs: folds of different people, balanced, and loaded by an unpickler that knows plain data alone."""

from __future__ import annotations

import io
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from facesieve.errors import UsageError
from facesieve.export.export import export_dataset
from facesieve.export.pairs import read_bin, write_bin


class PlainUnpickler(pickle.Unpickler):
    """Loads lists, tuples, bytes and booleans, and no name of any module."""

    def find_class(self, module: str, name: str) -> object:
        raise AssertionError(f"{module}.{name} is not plain data")


@pytest.fixture(scope="module")
def exported(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pairs") / "out"
    export_dataset(people, "pairs", out, pairs=60)
    return out


def test_the_bin_is_a_pickle_of_pictures_and_booleans_in_the_order_of_pairs_txt(exported: Path) -> None:
    pictures, same = PlainUnpickler(io.BytesIO((exported / "test.bin").read_bytes())).load()
    assert type(pictures) is list and type(same) is list and len(pictures) == 2 * len(same)
    assert {type(one) for one in same} == {bool} and {type(one) for one in pictures} == {bytes}
    head, *lines = (exported / "test" / "pairs.txt").read_text(encoding="utf-8").splitlines()
    folds, each = map(int, head.split())
    assert len(lines) == len(same) == 2 * folds * each and same.count(True) == same.count(False)
    for at, line in enumerate(lines):
        words = line.split()  # names have no spaces, or LFW's readers would break
        assert (len(words) == 3) == same[at] == (at % (2 * each) < each)
        names = [(words[0], words[1]), (words[0], words[2])] if same[at] else [tuple(words[:2]), tuple(words[2:])]
        for (name, number), data in zip(names, pictures[2 * at : 2 * at + 2], strict=True):
            file = exported / "test" / name / f"{name}_{int(number):04d}.png"
            assert file.read_bytes() == data and Image.open(file).size == (112, 112)


def test_no_person_is_in_two_folds_and_no_pair_is_of_one_picture_or_there_twice(exported: Path, people: Path) -> None:
    head, *lines = (exported / "test" / "pairs.txt").read_text(encoding="utf-8").splitlines()
    each = int(head.split()[1])
    folds: dict[str, set[int]] = {}
    for at, line in enumerate(lines):
        for word in line.split("\t"):
            if not word.isdigit():
                folds.setdefault(word, set()).add(at // (2 * each))
    assert len(folds) > 4 and all(len(found) == 1 for found in folds.values())
    assert max(Counter(lines).values()) == 1
    choice = pq.read_table(exported / "selection.parquet").to_pylist()
    assert {row["left_out"] for row in choice} >= {None, "rejected"}


def test_one_label_or_only_one_picture_of_each_is_one_sentence(people: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        export_dataset(people, "pairs", tmp_path / "out", where="label == 'Linus'")
    assert caught.value.code == "no_pairs"
    with pytest.raises(UsageError) as caught:
        export_dataset(people, "pairs", tmp_path / "out", max_per_label=1)
    assert caught.value.code == "no_pairs" and list(tmp_path.iterdir()) == []


def test_the_reader_runs_nothing(tmp_path: Path) -> None:
    stream = io.BytesIO()
    write_bin([b"one", bytes(300)], [True], stream)
    assert list(read_bin(io.BytesIO(stream.getvalue()))) == [b"one", bytes(300), True]
    assert pickle.loads(stream.getvalue()) == ([b"one", bytes(300)], [True])
    with pytest.raises(ValueError, match="GLOBAL"):
        list(read_bin(io.BytesIO(pickle.dumps((np.array, [print]), 2))))
