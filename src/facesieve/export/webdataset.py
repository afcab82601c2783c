"""`webdataset`: tar files of samples in a drawn order, as the package webdataset and Hugging Face read them.

train-000000.tar    <key>.png, <key>.cls (the number of the class), <key>.json (label and all measures)
sizes.json          how many samples each tar file has
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from facesieve.dataset.disk.json_file import json_bytes
from facesieve.dataset.disk.tar import END, member_bytes
from facesieve.export.columns import json_objects
from facesieve.export.format import Batch, ExportFormat, Item, Order
from facesieve.export.plan import Plan
from facesieve.export.staging import Staging


class _Writer:
    def __init__(self, plan: Plan, out: Staging) -> None:
        self._plan, self._out = plan, out

    def add(self, batch: Batch, pictures: Iterator[bytes]) -> None:
        rows, suffix, names = batch.rows.combine_chunks(), self._plan.image.suffix, pa.array(self._plan.names)
        columns = {"label": names.take(rows["class"].chunk(0))} | {
            name: rows[name].chunk(0) for name in self._plan.columns
        }
        ids = zip(rows["class"].to_pylist(), rows["face_id"].to_pylist(), strict=True)
        tar = self._out.whole(_name(batch))
        for (number, face_id), data, sample in zip(ids, pictures, json_objects(columns), strict=True):
            key = f"{number:06d}_{face_id}"  # a face can be there once for each of its labels
            files = ((suffix, data), ("cls", str(number).encode()), ("json", sample.encode()))
            tar.write(b"".join(member_bytes(f"{key}.{end}", held) for end, held in files))
        tar.write(END)

    def finish(self) -> None:
        sizes = {_name(batch): len(batch.rows) for batch in self._plan.batches()}
        self._out.append_to("sizes.json").write(json_bytes(sizes))


def _name(batch: Batch) -> str:
    return f"{batch.split}-{batch.number:06d}.tar"


def read(root: Path, plan: Plan) -> Iterator[Item]:
    """Yield the samples, with Python's own reader of tar files."""
    sizes = json.loads((root / "sizes.json").read_bytes())
    for name in sizes:
        found = 0
        with tarfile.open(root / name) as tar:
            while members := [member for _ in range(3) if (member := tar.next())]:
                tar.members.clear()  # type: ignore[attr-defined]  # else it holds every member of the file
                picture, number, sample = (stream.read() for one in members if (stream := tar.extractfile(one)))
                yield Item(name.rpartition("-")[0], json.loads(sample)["face_id"], int(number), picture)
                found += 1
        if found != sizes[name]:
            raise ValueError(f"{name} has {found} samples and not {sizes[name]}")


WEBDATASET = ExportFormat(
    "webdataset",
    "tar files of samples, for webdataset and Hugging Face datasets",
    _Writer,
    read,
    order=Order.RANDOM,
    pattern="{split}-*.tar",
    load="from glob import glob\n\nimport webdataset\n\n"
    'faces = webdataset.WebDataset(sorted(glob(f"{OUT}/train-*.tar")), shardshuffle=100)',
)
