"""`pairs`: verification sets, as LFW's `pairs.txt` with its pictures, and as InsightFace's `.bin`.

test/<name>/<name>_0001.png     the pictures of each person, numbered
test/pairs.txt                  folds, tab, pairs of one person in a fold; then for each fold these pairs (name, two
                                numbers) and as many of two people (name, number, name, number)
test.bin                        a pickle of the picture files of all pairs and of whether each pair is one person
"""

from __future__ import annotations

import pickletools
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from facesieve.export.choose_pairs import Pair
from facesieve.export.format import Batch, ExportFormat, Item, Order
from facesieve.export.plan import Plan
from facesieve.export.staging import Staging

_LIST, _MARK, _APPENDS, _TUPLE, _STOP = b"]", b"(", b"e", b"\x86", b"."
_PROTOCOL = b"\x80\x03"  # what every Python 3 reads


class _Writer:
    def __init__(self, plan: Plan, out: Staging) -> None:
        self._plan, self._out = plan, out
        self._names = dict(_names(plan))

    def add(self, batch: Batch, pictures: Iterator[bytes]) -> None:
        for position, data in enumerate(pictures, self._plan.start(batch.split) + batch.first):
            name = f"{batch.split}/{_path(*self._names[position], self._plan.image.suffix)}"
            (self._out.root / name).parent.mkdir(parents=True, exist_ok=True)
            self._out.write(name, data)

    def finish(self) -> None:
        for split, pairs in zip(self._plan.splits, self._plan.selection.pairs, strict=True):
            self._out.append_to(f"{split}/pairs.txt").write("".join(self._lines(pairs)).encode())
            files = (self._out.root / split / self._file(row) for pair in pairs for row in pair[:2])
            write_bin(
                (path.read_bytes() for path in files),
                [pair.same for pair in pairs],
                self._out.append_to(f"{split}.bin"),
            )

    def _lines(self, pairs: tuple[Pair, ...]) -> Iterator[str]:
        folds = pairs[-1].fold + 1
        yield f"{folds}\t{len(pairs) // (2 * folds)}\n"
        for pair in pairs:
            (one, first), (two, second) = (self._named(row) for row in pair[:2])
            yield f"{one}\t{first}\t{second}\n" if pair.same else f"{one}\t{first}\t{two}\t{second}\n"

    def _named(self, row: int) -> tuple[str, int]:
        return self._names[int(self._plan.selection.position[row])]

    def _file(self, row: int) -> str:
        return _path(*self._named(row), self._plan.image.suffix)


def _names(plan: Plan) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yield for each position its person's name and the number of the picture, from 1 in each split."""
    selection = plan.selection
    rows = np.flatnonzero(selection.taken)
    rows = rows[np.argsort(selection.position[rows])]
    numbers = Counter[tuple[int, int]]()
    for position, row in enumerate(rows.tolist()):
        person = (int(selection.split[row]), int(selection.number[row]))
        numbers[person] += 1
        yield position, (selection.folders[person[1]], numbers[person])


def _path(name: str, number: int, suffix: str) -> str:
    return f"{name}/{name}_{number:04d}.{suffix}"


def write_bin(pictures: Iterable[bytes], same: Iterable[bool], stream: BinaryIO) -> None:
    """Write a pickle of the tuple (list of bytes, list of bool), without holding the pictures in memory."""
    stream.write(_PROTOCOL + _LIST + _MARK)
    for data in pictures:
        stream.write(b"B" + struct.pack("<I", len(data)) + data)
    stream.write(_APPENDS + _LIST + _MARK)
    stream.write(b"".join(b"\x88" if one else b"\x89" for one in same))
    stream.write(_APPENDS + _TUPLE + _STOP)


def read_bin(stream: BinaryIO) -> Iterator[bytes | bool]:
    """Yield the pictures in a `.bin`, then whether each pair is one person. No pickle is loaded: only names of the
    operations that `write_bin` writes are accepted, and none is run. Raises ValueError for any other one.
    """
    known = {"PROTO", "EMPTY_LIST", "MARK", "APPENDS", "TUPLE2", "STOP"}
    for operation, value, _ in pickletools.genops(stream):
        if operation.name == "BINBYTES":
            yield bytes(value or b"")
        elif operation.name in ("NEWTRUE", "NEWFALSE"):
            yield operation.name == "NEWTRUE"
        elif operation.name not in known:
            raise ValueError(f"{operation.name} is not in a list of pictures")


def read(root: Path, plan: Plan) -> Iterator[Item]:
    """Yield the faces of each split, and check that `pairs.txt` and `.bin` have the same pairs of the same pictures."""
    ids = _face_ids(plan)
    for split, pairs in zip(plan.splits, plan.selection.pairs, strict=True):
        _compare(root, split, plan.image.suffix, len(pairs))
    for position, (name, number) in _names(plan):
        split, face_id, of_class = ids[position]
        yield Item(split, face_id, of_class, (root / split / _path(name, number, plan.image.suffix)).read_bytes())


def _face_ids(plan: Plan) -> list[tuple[str, str, int]]:
    rows = ((batch.split, batch.rows) for batch in plan.batches())
    return [
        (split, face_id, of_class)
        for split, table in rows
        for face_id, of_class in zip(table["face_id"].to_pylist(), table["class"].to_pylist(), strict=True)
    ]


def _compare(root: Path, split: str, suffix: str, count: int) -> None:
    head, *lines = (root / split / "pairs.txt").read_text(encoding="utf-8").splitlines()
    folds, each = map(int, head.split("\t"))
    with (root / f"{split}.bin").open("rb") as stream:
        held = read_bin(stream)
        for line in lines:
            words = line.split("\t")
            names = [words[0], words[0]] if len(words) == 3 else words[::2]
            numbers = words[1:] if len(words) == 3 else words[1::2]
            for name, number in zip(names, numbers, strict=True):
                if (root / split / _path(name, int(number), suffix)).read_bytes() != next(held, None):
                    raise ValueError(f"{split}.bin and {split}/pairs.txt have different pictures")
        if list(held) != [len(line.split("\t")) == 3 for line in lines] or not len(lines) == count == 2 * folds * each:
            raise ValueError(f"{split}.bin and {split}/pairs.txt have different pairs")


PAIRS = ExportFormat(
    "pairs",
    "verification pairs: pairs.txt of LFW with its pictures, and .bin of InsightFace",
    _Writer,
    read,
    order=Order.PAIRS,
    images=("png", "jpeg"),
    labelled=True,
    plain_names=True,
    only_split="test",
    load="from eval.verification import load_bin  # InsightFace, recognition/arcface_torch\n\n"
    'pictures, same = load_bin(f"{OUT}/test.bin", (112, 112))',
)
