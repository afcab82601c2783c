"""`parquet`: Parquet files with the pictures in them, as Hugging Face's `parquet` reads them.

train-00000-of-00003.parquet    image (bytes, path), label (a ClassLabel) and all measures
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from facesieve.export.features import with_features
from facesieve.export.format import Batch, ExportFormat, Item, Order
from facesieve.export.plan import Plan
from facesieve.export.staging import Staging

GROUP = 500  # rows in a row group, about 10 MB: Hugging Face's viewer and random access read whole groups
_IMAGE = pa.field("image", pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())]))


class _Writer:
    def __init__(self, plan: Plan, out: Staging) -> None:
        self._plan, self._out = plan, out
        self._files = {name: -(-count // plan.batch) for name, count in plan.selection.counts.items()}

    def add(self, batch: Batch, pictures: Iterator[bytes]) -> None:
        stream = self._out.whole(_name(batch.split, batch.number, self._files[batch.split]))
        fields = [_IMAGE, pa.field("label", pa.int64()), *map(batch.rows.schema.field, self._plan.columns)]
        schema = with_features(pa.schema(fields), self._plan.names)
        with _writer(stream, schema) as file:
            for start in range(0, len(batch.rows), GROUP):
                rows = batch.rows.slice(start, GROUP)
                file.write_table(self._table(rows, list(islice(pictures, len(rows))), schema))

    def finish(self) -> None:
        pass

    def _table(self, rows: pa.Table, pictures: list[bytes], schema: pa.Schema) -> pa.Table:
        paths = [f"{face_id}.{self._plan.image.suffix}" for face_id in rows["face_id"].to_pylist()]
        images = pa.StructArray.from_arrays([pa.array(pictures, pa.binary()), pa.array(paths)], fields=[*_IMAGE.type])
        columns = [images, rows["class"], *(rows[name] for name in self._plan.columns)]
        return pa.table(dict(zip(schema.names, columns, strict=True))).cast(schema).combine_chunks()


def _writer(stream: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer that compresses all columns but the pictures, which are compressed already."""
    leaves = [name for name in schema.names if name not in ("image", "reasons")]
    others = [*leaves, "image.path", *(["reasons.list.element"] if "reasons" in schema.names else [])]
    compression = {**dict.fromkeys(others, "zstd"), "image.bytes": "none"}
    return pq.ParquetWriter(stream, schema, compression=compression, use_dictionary=others, write_statistics=others)


def _name(split: str, number: int, files: int) -> str:
    return f"{split}-{number:05d}-of-{files:05d}.parquet"


def read(root: Path, plan: Plan) -> Iterator[Item]:
    """Yield the rows, a row group at a time."""
    for split, count in plan.selection.counts.items():
        files = -(-count // plan.batch)
        for number in range(files):
            file = pq.ParquetFile(root / _name(split, number, files))
            for rows in file.iter_batches(GROUP, columns=["image", "label", "face_id"]):
                for row in rows.to_pylist():
                    yield Item(split, row["face_id"], row["label"], row["image"]["bytes"])


PARQUET = ExportFormat(
    "parquet",
    "Parquet files with pictures and features, for Hugging Face datasets",
    _Writer,
    read,
    order=Order.RANDOM,
    pattern="{split}-*.parquet",
    load="from datasets import load_dataset\n\nfaces = load_dataset(OUT)",
)
