"""`jsonl`: the manifest as JSON Lines, one file per split. It says where pictures came from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from facesieve.dataset.tables.schema import CROP_HASH
from facesieve.export.columns import json_objects
from facesieve.export.format import Batch, ExportFormat, Item
from facesieve.export.plan import Plan
from facesieve.export.staging import Staging


class _Writer:
    def __init__(self, plan: Plan, out: Staging) -> None:
        self._out = out

    def add(self, batch: Batch, pictures: Iterator[bytes]) -> None:
        rows = batch.rows.drop_columns(["folder", CROP_HASH]).combine_chunks()
        lines = json_objects({name: rows[name].chunk(0) for name in rows.column_names}, "\n")
        self._out.append_to(f"{batch.split}.jsonl").write(b"".join(lines.cast(pa.binary()).to_pylist()))

    def finish(self) -> None:
        pass


def read(root: Path, plan: Plan) -> Iterator[Item]:
    """Yield the lines."""
    for split, count in plan.selection.counts.items():
        if count:
            with (root / f"{split}.jsonl").open(encoding="utf-8") as stream:
                for line in stream:
                    row = json.loads(line)
                    yield Item(split, row["face_id"], row["class"], None)


JSON_LINES = ExportFormat(
    "jsonl",
    "the rows of faces as JSON Lines",
    _Writer,
    read,
    pictures=False,
    pattern="{split}.jsonl",
    load='import pandas\n\nfaces = pandas.read_json(f"{OUT}/train.jsonl", lines=True)',
)
