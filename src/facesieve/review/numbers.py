"""The numbers of single faces, read from the manifest when somebody looks at a face.

A row group is the least that can be read. The last groups stay in memory, so that the next face is often there already.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from facesieve.dataset.manifests import Manifests
from facesieve.dataset.tables.schema import BOX
from facesieve.records import Indices

MOST_GROUPS = 4  # in memory, about 250 bytes a face each


@dataclass(frozen=True, slots=True)
class FaceNumbers:
    """Numbers of one face. box: x, y, w, h in pixels. measures: None means not measured. time: seconds in a clip."""

    box: tuple[float, ...]
    measures: Mapping[str, float | None]
    time: float | None
    track: int | None


class NumbersReader:
    """Reads the numbers of the faces of one dataset. Raises DatasetError if they are damaged."""

    def __init__(self, dataset: Manifests) -> None:
        self._dataset, self._groups = dataset, dataset.face_groups()
        self._firsts = np.array([group.first for group in self._groups], np.int64)
        there = dataset.about.origin.face_schema.names
        self._columns = [*BOX, *dataset.names, *(name for name in ("time", "track") if name in there)]
        self._held = OrderedDict[int, pa.Table]()

    def of(self, row: int) -> FaceNumbers:
        """The numbers of the face in a row."""
        number = self._number(row)
        [values] = self._group(number).slice(row - self._groups[number].first, 1).to_pylist()
        measures = {name: values[name] for name in self._dataset.names}
        return FaceNumbers(tuple(values[name] for name in BOX), measures, values.get("time"), values.get("track"))

    def tracks(self, rows: Indices) -> list[int | None]:
        """The track of each face in some ascending rows, which are one after another."""
        tracks = list[int | None]()
        for number in range(self._number(int(rows[0])), self._number(int(rows[-1])) + 1):
            group = self._groups[number]
            within = rows[(rows >= group.first) & (rows < group.first + group.rows)] - group.first
            tracks += self._group(number)["track"].take(within).to_pylist()
        return tracks

    def picture_id(self, row: int) -> str:
        """The id of the picture of the face in a row."""
        group = self._groups[self._number(row)]
        return str(self._dataset.read_face_group(group, ["picture_id"])["picture_id"][row - group.first].as_py())

    def _number(self, row: int) -> int:
        return int(np.searchsorted(self._firsts, row, "right")) - 1

    def _group(self, number: int) -> pa.Table:
        if number not in self._held:
            while len(self._held) >= MOST_GROUPS:
                self._held.popitem(last=False)
            self._held[number] = self._dataset.read_face_group(self._groups[number], self._columns)
        self._held.move_to_end(number)
        return self._held[number]
