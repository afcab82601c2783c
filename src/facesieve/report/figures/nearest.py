"""Per rule: the faces nearest to its limits, on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from facesieve.records import Floats, Mask
from facesieve.report.figures.block import FaceBlock
from facesieve.report.figures.faces import face_values
from facesieve.sieve import Rule

EACH_SIDE = 8


class NearestFaces:
    """Finds the faces nearest to the limits of one rule: those that fail it, and those that are kept.

    Among those that fail it, the faces that fail no other rule come first: these are what a moved limit would keep.
    """

    def __init__(self, rule: Rule, number: int) -> None:
        self._rule, self._number = rule, number
        self._found: dict[bool, list[tuple[bool, float, dict[str, Any]]]] = {False: [], True: []}

    def add(self, block: FaceBlock) -> None:
        """Look at the next faces."""
        distance = self._distance(block.measures[self._rule.measure])
        failing = block.failed[self._number] & ~block.kept & ~np.isnan(distance)
        self._add(block, False, failing, distance, ~block.passes_others(self._number))
        self._add(block, True, block.kept & ~np.isnan(distance), distance, np.zeros(len(distance), bool))

    def as_json(self) -> Mapping[str, Any]:
        """The faces of both sides, the nearest first."""
        rejected, kept = ([face for _, _, face in self._found[side]] for side in (False, True))
        return {"measure": self._rule.measure, "reason": self._rule.reason.value, "rejected": rejected, "kept": kept}

    def _distance(self, values: Floats) -> Floats:
        """How far each value is from the nearest limit."""
        limits = [limit for limit in (self._rule.low, self._rule.high) if limit is not None]
        distances: Floats = np.min([np.abs(values - limit) for limit in limits], axis=0)
        return distances

    def _add(self, block: FaceBlock, side: bool, among: Mask, distance: Floats, later: Mask) -> None:
        places = np.flatnonzero(among)
        first = places[np.lexsort((distance[places], later[places]))[:EACH_SIDE]]
        faces = face_values(block, first, self._rule.measure)
        new = [(bool(later[place]), float(distance[place]), face) for place, face in zip(first, faces, strict=True)]
        self._found[side] = sorted([*self._found[side], *new], key=lambda one: one[:2])[:EACH_SIDE]
