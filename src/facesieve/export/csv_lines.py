"""`csv`: the manifest as comma-separated values, one file per split. It says where pictures came from."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from facesieve.dataset.tables.schema import CROP_HASH
from facesieve.export.format import Batch, ExportFormat, Item
from facesieve.export.plan import Plan
from facesieve.export.staging import Staging


class _Writer:
    def __init__(self, plan: Plan, out: Staging) -> None:
        self._out = out

    def add(self, batch: Batch, pictures: Iterator[bytes]) -> None:
        rows = with_joined_reasons(batch.rows.drop_columns(["folder", CROP_HASH]))
        options = pyarrow.csv.WriteOptions(include_header=batch.number == 0, quoting_style="needed")
        pyarrow.csv.write_csv(rows, self._out.append_to(f"{batch.split}.csv"), options)

    def finish(self) -> None:
        pass


def with_joined_reasons(rows: pa.Table) -> pa.Table:
    """The rows with the reasons of each as one text."""
    at = rows.schema.get_field_index("reasons")
    texts = pa.array([" ".join(reasons) for reasons in rows["reasons"].to_pylist()], pa.string())
    return rows.set_column(at, "reasons", texts)


def read(root: Path, plan: Plan) -> Iterator[Item]:
    """Yield the lines, with Python's own reader."""
    for split, count in plan.selection.counts.items():
        if count:
            with (root / f"{split}.csv").open(newline="", encoding="utf-8") as stream:
                for row in csv.DictReader(stream):
                    yield Item(split, row["face_id"], int(row["class"]), None)


CSV = ExportFormat(
    "csv",
    "the rows of faces as comma-separated values",
    _Writer,
    read,
    pictures=False,
    pattern="{split}.csv",
    load='import pandas\n\nfaces = pandas.read_csv(f"{OUT}/train.csv")',
)
