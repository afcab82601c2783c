"""Finds the faces of a dataset that a person sorted into good and bad ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.dataset.manifests import Manifests
from facesieve.errors import UsageError
from facesieve.records import Indices
from facesieve.regular_file import open_regular
from facesieve.small_file import read_small

ID = re.compile(r"[0-9a-f]{32}")
FEWEST = 5  # examples on each side


def find_examples(dataset: Manifests, good: Path, bad: Path) -> tuple[Indices, Indices]:
    """The rows in `faces` of the good and of the bad examples.

    good, bad: folders of crops of the dataset or of pictures that it was built from, or text files with one face id per
    line. A crop is known by the id in its name, a picture by its content; of its faces, the main one counts.
    Raises UsageError `no_examples`, `too_few_examples`, `unknown_examples`, or `examples_overlap`.
    """
    ids, main = _faces(dataset)
    found = {path: _rows(path, ids, main, dataset.layout.root) for path in (good, bad)}
    if good == bad or np.intersect1d(found[good], found[bad]).size:
        both = ids[int(np.intersect1d(found[good], found[bad])[0])].as_py()
        raise UsageError("examples_overlap", f"The face {both} is in {good} and in {bad}. Remove it from one of them.")
    return found[good], found[bad]


def _faces(dataset: Manifests) -> tuple[pa.Array, dict[str, int]]:
    """The ids of all faces, and the row of the main face of each picture."""
    ranked = "rank_in_picture" in dataset.names
    columns = ["face_id", "picture_id", *(["rank_in_picture"] if ranked else [])]
    rows = pa.concat_tables(dataset.face_tables(columns))
    order = pc.fill_null(rows["rank_in_picture"], 1e9) if ranked else pa.nulls(len(rows), pa.float64()).fill_null(1)
    main = dict[str, int]()
    for row in np.argsort(-np.asarray(order), kind="stable").tolist():
        main[rows["picture_id"][row].as_py()] = row  # the lowest rank comes last
    return rows["face_id"].combine_chunks(), main


def _rows(path: Path, ids: pa.Array, main: dict[str, int], root: Path) -> Indices:
    """The rows of the examples in one folder or file."""
    found, unknown = set[int](), list[str]()
    for name, row in _named(path, ids, main):
        if row is None:
            unknown.append(name)
        else:
            found.add(row)
    if unknown:
        some = ", ".join(repr(name) for name in unknown[:3])
        raise UsageError(
            "unknown_examples",
            f"{len(unknown):,} of the examples in {path} are not in {root}: {some}{' ...' * (len(unknown) > 3)}."
            " Use crops of this dataset, pictures it was built from, or ids of its faces.",
        )
    if not found:
        raise UsageError("no_examples", f"There are no examples in {path}: put crops, pictures or face ids there.")
    if len(found) < FEWEST:
        raise UsageError("too_few_examples", f"{path} has {len(found)} examples; at least {FEWEST} are needed.")
    return np.array(sorted(found), np.intp)


def _named(path: Path, ids: pa.Array, main: dict[str, int]) -> Iterator[tuple[str, int | None]]:
    """Yield the name of each example and its row; None for one that is not in the dataset."""
    if not path.exists():
        raise UsageError("no_such_file", f"There is no folder or file {path}.")
    with wrap_read_errors(path):
        if path.is_dir():
            for file in sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith(".")):
                yield file.name, _row_of_file(file, ids, main)
            return
        for line in read_small(path).decode("utf-8-sig", "replace").split():
            row = pc.index(ids, line.lower()).as_py()
            yield line, row if row >= 0 else None


def _row_of_file(file: Path, ids: pa.Array, main: dict[str, int]) -> int | None:
    named = ID.match(file.name)
    row = pc.index(ids, named[0]).as_py() if named else -1
    if row >= 0:
        return int(row)
    with open_regular(file) as stream:
        return main.get(hashlib.file_digest(stream, "sha256").hexdigest())
