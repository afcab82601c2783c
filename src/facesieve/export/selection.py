"""Which faces an export takes, in which split, under which class number, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from facesieve.dataset.manifests import Manifests
from facesieve.export.choose_pairs import Pair
from facesieve.export.left_out import REASONS
from facesieve.export.spec import Split
from facesieve.records import Integers, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The choice for each of N faces, in the order of the rows of the dataset.

    splits: the parts, in order. by: what they never divide. labels: the classes, by number. folders: the name of each
    class as a folder. code: (N,) 0 for a face that is taken, else 1 + the index of the reason in `REASONS`.
    split: (N,) the index of its split. number: (N,) the number of its class, -1 if it is not taken.
    position: (N,) its position in the export, from 0; -1 if it is not taken. pairs: for each split, if the format has
    pairs.
    """

    splits: tuple[Split, ...]
    by: str
    labels: tuple[str, ...]
    folders: tuple[str, ...]
    code: Integers
    split: Integers
    number: Integers
    position: Integers
    pairs: tuple[tuple[Pair, ...], ...] = ()

    @property
    def taken(self) -> Mask:
        return np.asarray(self.code == 0)

    @property
    def counts(self) -> dict[str, int]:
        """How many faces each split has."""
        sizes = np.bincount(self.split[self.taken], minlength=len(self.splits)).tolist()
        return {split.name: size for split, size in zip(self.splits, sizes, strict=True)}

    @property
    def left_out(self) -> dict[str, int]:
        """How many faces are left out for each reason, the most frequent first."""
        counts = Counter(self.code[self.code > 0].tolist())
        return {str(REASONS[code - 1]): number for code, number in counts.most_common()}

    def table(self, dataset: Manifests) -> Iterator[pa.Table]:
        """Yield the rows of `selection.parquet`: every face of the dataset, its split, or why it is left out."""
        names = pa.array([split.name for split in self.splits])
        codes, first = pa.array([None, *map(str, REASONS)]), 0
        for rows in dataset.face_tables(["face_id", "label"]):
            part = slice(first, first + len(rows))
            taken, first = self.taken[part], part.stop
            columns = {
                "face_id": rows["face_id"],
                "label": rows["label"],
                "split": names.take(pa.array(self.split[part], mask=~taken)),
                "class": pa.array(self.number[part], mask=~taken),
                "left_out": codes.take(pa.array(self.code[part])),
            }
            yield pa.table(columns)

    def notes(self) -> Iterator[str]:
        """Yield what the user should know: empty splits, one class alone, and labels that the first split lacks."""
        for name, size in self.counts.items():
            if not size:
                yield f"the split {name!r} has no faces"
        numbers = [set(self.number[self.taken & (self.split == at)].tolist()) for at in range(len(self.splits))]
        if len(self.labels) == 1 and self.labels[0]:
            yield f"all faces have one label, {self.labels[0]!r}"
        if "" in self.labels:
            unlabelled = int((self.number == self.labels.index("")).sum())
            yield f"{unlabelled} faces without a label are the class 'unlabelled'; --where \"label != ''\" drops them"
        for split, held in zip(self.splits[1:], numbers[1:], strict=True):
            lacking = len(held - numbers[0])
            if lacking and self.by != "label":
                yield f"{lacking} labels of {split.name!r} are not in {self.splits[0].name!r}"
