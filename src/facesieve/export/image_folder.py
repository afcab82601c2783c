"""`imagefolder`: a folder for each label, as torchvision's ImageFolder and Hugging Face's `imagefolder` read them.

train/<label>/<face_id>.png
train/metadata.parquet          file_name, label (a ClassLabel) and all measures
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset

from facesieve.dataset.disk.parquet import parquet_writer
from facesieve.export.features import with_features
from facesieve.export.format import Batch, ExportFormat, Item
from facesieve.export.plan import CLASS, Plan
from facesieve.export.staging import Staging


class _Writer:
    def __init__(self, plan: Plan, out: Staging) -> None:
        self._plan, self._out = plan, out
        self._made = set[str]()

    def add(self, batch: Batch, pictures: Iterator[bytes]) -> None:
        names = _names(batch, self._plan).to_pylist()
        folders = {f"{batch.split}/{folder}" for folder in pc.unique(batch.rows["folder"]).to_pylist()}
        for folder in folders - self._made:
            (self._out.root / folder).mkdir(parents=True, exist_ok=True)
        self._made |= folders
        for name, data in zip(names, pictures, strict=True):
            self._out.write(f"{batch.split}/{name}", data)

    def finish(self) -> None:
        """Write the metadata of each split, one batch at a time."""
        split, writer = "", None
        for batch in self._plan.batches():
            rows = self._metadata(batch)
            if writer is None or batch.split != split:
                if writer is not None:
                    writer.close()
                split = batch.split
                writer = parquet_writer(self._out.whole(f"{split}/metadata.parquet"), rows.schema)
            writer.write_table(rows)
        if writer is not None:
            writer.close()

    def _metadata(self, batch: Batch) -> pa.Table:
        rows = batch.rows
        table = pa.table({"file_name": _names(batch, self._plan), "label": rows[CLASS.name]})
        for name in self._plan.columns:
            table = table.append_column(rows.schema.field(name), rows[name])
        return table.cast(with_features(table.schema, self._plan.names)).combine_chunks()


def _names(batch: Batch, plan: Plan) -> pa.ChunkedArray:
    rows = batch.rows
    return pc.binary_join_element_wise(
        pc.binary_join_element_wise(rows["folder"], rows["face_id"], "/"), plan.image.suffix, "."
    )


def read(root: Path, plan: Plan) -> Iterator[Item]:
    """Yield what the folders hold, in the order of the metadata."""
    for split in plan.splits:
        path = root / split / "metadata.parquet"
        if not path.exists():
            continue
        for rows in pyarrow.dataset.dataset(path).to_batches(columns=["file_name", "label"]):
            for name, number in zip(*(column.to_pylist() for column in rows.columns), strict=True):
                yield Item(split, Path(name).stem, number, (root / split / name).read_bytes())


IMAGE_FOLDER = ExportFormat(
    "imagefolder",
    "a folder of pictures for each label, for torchvision and Hugging Face datasets",
    _Writer,
    read,
    pattern="{split}/**",
    load='from datasets import load_dataset\n\nfaces = load_dataset("imagefolder", data_dir=OUT)',
)
