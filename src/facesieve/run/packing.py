"""Packs crops into the tar files that readers see, when a dataset is published.

A finished shard leaves its crops in a tar file of its own. Publishing computes from the rows which crops belong
together. It writes the tar files that do not exist yet; their crops are in the tar files of the shards and in old ones
that are replaced.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.atomic import open_for_writing, sync_folders
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.own_file import check_command
from facesieve.dataset.disk.tar import END, is_complete, positions_in, read_at, write_member
from facesieve.dataset.tables.hashes import hashes_of
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.shuffle import Shuffle
from facesieve.dataset.tables.tar_layout import members_of, with_tar_positions
from facesieve.errors import DatasetError
from facesieve.run.crops_in_tars import tars_on_disk
from facesieve.run.progress import StepProgress, WatchSteps

_PLAN = pa.schema([pa.field("shard", pa.string()), pa.field("name", pa.string()), pa.field("sha256", pa.string())])


class Packing:
    """The tar files of one publication.

    suspicious: names of tar files that are written again though they exist. watch: called before each tar file.
    """

    def __init__(
        self,
        layout: Layout,
        outputs: Outputs,
        suspicious: Collection[str] = (),
        watch: WatchSteps | None = None,
    ) -> None:
        self._layout, self._outputs, self._suspicious = layout, outputs, set(suspicious)
        self._watch = watch or (lambda progress: None)
        self._plan = Shuffle(_PLAN, layout.scratch)
        self._named, self._missing = set[str](), 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._plan.close()

    def packed(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield the blocks with the positions of all crops. At the end, every tar file is in place and durable.

        Raises DatasetError if a crop is missing or damaged, or a file cannot be written.
        """
        for block in with_tar_positions(blocks, self._outputs):
            self._note(block.faces)
            yield block
        self._write()

    def _note(self, faces: pa.Table) -> None:
        """Plan the tar file of these faces, unless it exists."""
        shards = faces["shard"].drop_null()
        if not len(shards):
            return
        shard = shards[0].as_py()
        self._named.add(shard)
        if shard in self._suspicious or not is_complete(self._layout.root / shard):
            members = members_of(faces, self._outputs)
            names, sums = [name for name, _ in members], [known.sha256 for _, known in members]
            rows = pa.table([[shard] * len(members), names, sums], schema=_PLAN)
            self._plan.add(rows, np.full(len(rows), self._missing))
            self._missing += 1

    def _write(self) -> None:
        if not self._missing:
            return
        layout = self._layout
        old = set(tars_on_disk(layout))
        reused = [layout.root / name for name in sorted((old - self._named) | (old & self._suspicious))]
        of_shards = [layout.unpacked_of(number) for number in layout.numbers(layout.unpacked)]
        crops = CropIndex([*reused, *of_shards])
        for done, number in enumerate(self._plan.numbers()):
            self._watch(StepProgress("tar files packed", self._missing, done))
            rows = self._plan.bucket(number)
            path = layout.root / rows["shard"][0].as_py()
            with open_for_writing(path, layout.scratch) as stream:
                for name, sha256 in zip(rows["name"].to_pylist(), rows["sha256"].to_pylist(), strict=True):
                    write_member(name, self._crop(crops, name, sha256), stream)
                stream.write(END)
            sync_folders([path], layout.root)
        self._watch(StepProgress("tar files packed", self._missing, self._missing))

    def _crop(self, crops: CropIndex, name: str, sha256: str) -> bytes:
        data = crops.find(name, sha256)
        if data is None:
            raise DatasetError(
                "damaged_dataset",
                f"The crop {name} of {self._layout.root} is missing or damaged. "
                f"Run `{check_command(self._layout.root)} --repair` to repair what can be repaired.",
            )
        return data


class CropIndex:
    """Finds crops in tar files by name and sha256. It takes about 40 bytes of memory per crop."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = list(paths)
        hashes, positions = array("q"), array("q")
        for file, path in enumerate(self._paths):
            for member in positions_in(path):
                hashes.append(hash(member.name))
                positions.extend((file, member.offset, member.size))
        self._positions = np.frombuffer(positions, np.int64).reshape(-1, 3)
        found = np.frombuffer(hashes, np.int64)
        self._order = np.argsort(found, kind="stable")
        self._hashes = found[self._order]

    def find(self, name: str, sha256: str) -> bytes | None:
        """The crop; None if no tar file has it."""
        wanted = hashes_of([name])
        start, end = (int(np.searchsorted(self._hashes, wanted, side)[0]) for side in ("left", "right"))
        for at in self._order[start:end].tolist():
            file, offset, size = self._positions[at].tolist()
            data = read_at(self._paths[file], offset, size)
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
        return None
