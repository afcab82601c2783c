"""Two measures at once: how many faces, and how many kept ones, are in each cell of a grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from facesieve.report.figures.block import FaceBlock
from facesieve.report.figures.scale import Scale

VIEWS = (("yaw", "pitch"), ("inter_eye_distance", "sharpness"))  # across, up
CELLS = 48  # at most so many across; bars are joined if there are more


class JointCounts:
    """Counts the faces of a dataset in a grid of two measures. A face beyond an edge is in the last cell before it."""

    def __init__(self, across: str, up: str, scales: Mapping[str, Scale]) -> None:
        self._names = across, up
        self._edges = tuple(np.asarray(_fewer(scales[name].edges)) for name in self._names)
        self._growing = tuple(scales[name].growing for name in self._names)
        self._cells = np.zeros((2, len(self._edges[0]) - 1, len(self._edges[1]) - 1), np.int64)

    def add(self, block: FaceBlock) -> None:
        """Count the next faces; those without both numbers are left out."""
        values = [block.measures[name] for name in self._names]
        known = ~np.isnan(values[0]) & ~np.isnan(values[1])
        places = [
            (np.searchsorted(edges, one[known], "right") - 1).clip(0, len(edges) - 2)
            for edges, one in zip(self._edges, values, strict=True)
        ]
        np.add.at(self._cells, (np.where(block.kept[known], 0, 1), *places), 1)

    def as_json(self) -> Mapping[str, Any]:
        """The cells that have a face: [across, up, kept, rejected], with the numbers of the cells."""
        across, up = np.nonzero(self._cells.sum(axis=0))
        cells = np.stack([across, up, *self._cells[:, across, up]], axis=1)
        return {
            "names": self._names,
            "edges": [edges.tolist() for edges in self._edges],
            "growing": self._growing,
            "cells": cells.tolist(),
        }


def _fewer(edges: tuple[float, ...]) -> tuple[float, ...]:
    each = -(-len(edges) // CELLS)
    return (*edges[:-1:each], edges[-1])
