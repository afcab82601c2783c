"""`webdataset`: tar files of samples in a drawn order, as the package webdataset and Hugging Face read them.

train-000000.tar    <key>.png, <key>.cls (the number of the class), <key>.json (label and all measures)
sizes.json          how many samples each tar file has
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.json_file import json_bytes
from facesieve.dataset.disk.tar import BLOCK, END, headers
from facesieve.export.columns import json_objects
from facesieve.export.format import Batch, ExportFormat, Item, Order
from facesieve.export.plan import Plan
from facesieve.export.staging import Staging
from facesieve.records import Integers, Pixels

_AT_ONCE = 128  # samples that are written with one call
_ZEROS = bytes(BLOCK)


class _Writer:
    def __init__(self, plan: Plan, out: Staging) -> None:
        self._plan, self._out = plan, out
        self._names = pa.array(plan.names, pa.string())

    def add(self, batch: Batch, pictures: Iterator[bytes]) -> None:
        rows = batch.rows.combine_chunks()
        columns = {"label": self._names.take(rows["class"].chunk(0))} | {
            name: rows[name].chunk(0) for name in self._plan.columns
        }
        samples = json_objects(columns)
        tar = self._out.whole(_name(batch.split, batch.number))
        for start in range(0, len(rows), _AT_ONCE):
            some, texts = (part.slice(start, _AT_ONCE) for part in (rows, samples))
            tar.write(self._members(some, list(islice(pictures, len(some))), texts.cast(pa.binary()).to_pylist()))
        tar.write(END)

    def finish(self) -> None:
        batch, counts = self._plan.batch, self._plan.selection.counts
        sizes = {
            _name(split, number): min(batch, count - number * batch)
            for split, count in counts.items()
            for number in range(-(-count // batch))
        }
        self._out.append_to("sizes.json").write(json_bytes(sizes))

    def _members(self, rows: pa.Table, pictures: list[bytes], samples: list[bytes]) -> bytes:
        """The three members of each sample. Headers are made as arrays, because each has 512 bytes."""
        suffix, classes = self._plan.image.suffix, rows["class"].to_pylist()
        numbers = [b"%d" % number for number in classes]
        # A face can be there once for each of its labels, so its id alone is no key.
        ids = zip(classes, rows["face_id"].to_pylist(), strict=True)
        keys = [f"{number:06d}_{face_id}." for number, face_id in ids]
        first = headers([key + suffix for key in keys], _sizes(pictures))
        of_class = headers([f"{key}cls" for key in keys], _sizes(numbers))
        of_sample = headers([f"{key}json" for key in keys], _sizes(samples))
        middle = np.concatenate([of_class, _blocks(numbers), of_sample], axis=1)
        parts = list[bytes]()
        for head, picture, between, sample in zip(_rows(first), pictures, _rows(middle), samples, strict=True):
            parts += (head, picture, _filling(picture), between, sample, _filling(sample))
        return b"".join(parts)


def _rows(array: Pixels) -> Iterator[bytes]:
    """Yield each row of an array as bytes."""
    data, width = array.tobytes(), array.shape[1]
    return (data[at : at + width] for at in range(0, len(data), width))


def _blocks(texts: list[bytes]) -> Pixels:
    """(N, 512) uint8 short texts, filled up with zeros."""
    return np.array(texts, f"S{BLOCK}").view(np.uint8).reshape(-1, BLOCK)


def _filling(data: bytes) -> bytes:
    return _ZEROS[: -len(data) % BLOCK]


def _sizes(files: list[bytes]) -> Integers:
    return np.fromiter(map(len, files), np.int64, len(files))


def _name(split: str, number: int) -> str:
    return f"{split}-{number:06d}.tar"


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
