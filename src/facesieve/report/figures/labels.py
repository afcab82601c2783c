"""A row for each of some labels: counts, the best and the worst face, and which head poses are covered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.quality import PITCH_BINS, YAW_BINS, pose_bins
from facesieve.records import Floats
from facesieve.report.figures.block import FaceBlock
from facesieve.report.figures.faces import face_values, shortened

FEW = 5  # a label with fewer kept faces is counted as thin
BINS = len(YAW_BINS) * len(PITCH_BINS)
ORDERS = ("fitness", "sharpness", "confidence")  # the first one that was measured says which face is best


def largest(labels: Mapping[str, tuple[int, int]], most: int) -> list[str]:
    """The labels with the most faces, then by name; without the faces that have no label."""
    named = [label for label in labels if label]
    return sorted(named, key=lambda label: (-labels[label][0], label))[:most]


class LabelRows:
    """Looks at the faces of the labels that are shown. order: the measure that says which face is better."""

    def __init__(self, labels: Mapping[str, tuple[int, int]], most: int, order: str) -> None:
        self._all, self._order = labels, order
        self._shown = largest(labels, most)
        self._poses = np.zeros((len(self._shown), BINS), np.int64)
        self._best: list[tuple[float, dict[str, Any]] | None] = [None] * len(self._shown)
        self._worst: list[tuple[float, dict[str, Any]] | None] = [None] * len(self._shown)

    def add(self, block: FaceBlock) -> None:
        """Look at the next faces."""
        which = pc.index_in(block.rows["label"], pa.array(self._shown, pa.string())).fill_null(-1)
        label = np.asarray(which.combine_chunks()).astype(np.int64)
        self._count_poses(block, label)
        values = block.measures[self._order]
        places = np.flatnonzero((label >= 0) & ~np.isnan(values))
        ordered = places[np.lexsort((values[places], label[places]))]
        held = label[ordered]
        self._note(self._worst, block, ordered[np.flatnonzero(np.diff(held, prepend=-1))], label, values, -1)
        self._note(self._best, block, ordered[np.flatnonzero(np.diff(held, append=-1))], label, values, 1)

    def as_json(self) -> Mapping[str, Any]:
        """The rows as JSON values, with counts over all labels."""
        named = {label: counts for label, counts in self._all.items() if label}
        empty = sorted(label for label, (_, kept) in named.items() if not kept)
        rows = zip(self._shown, self._poses.tolist(), self._best, self._worst, strict=True)
        return {
            "total": len(named),
            "unlabelled": self._all.get("", (0, 0)),
            "empty": len(empty),
            "some_empty": [shortened(label) for label in empty[:20]],
            "few": FEW,
            "thin": sum(0 < kept < FEW for _, kept in named.values()),
            "order": self._order,
            "sizes": _sizes([kept for _, kept in named.values()]),
            "rows": [
                {
                    "label": shortened(label),
                    "faces": self._all[label][0],
                    "kept": self._all[label][1],
                    "poses": poses,
                    "best": best and best[1],
                    "worst": worst and worst[1],
                }
                for label, poses, best, worst in rows
            ],
        }

    def _count_poses(self, block: FaceBlock, label: np.ndarray) -> None:
        if "yaw" in block.measures.columns and "pitch" in block.measures.columns:
            bins = pose_bins(block.measures["yaw"], block.measures["pitch"])
            counted = (label >= 0) & (bins >= 0) & block.kept
            np.add.at(self._poses, (label[counted], bins[counted]), 1)

    def _note(
        self,
        held: list[tuple[float, dict[str, Any]] | None],
        block: FaceBlock,
        places: np.ndarray,
        label: np.ndarray,
        values: Floats,
        sign: int,
    ) -> None:
        """Note the faces at these places, one of each label, where they are better (sign 1) or worse (-1)."""
        new = [place for place in places if _beats(values[place], held[label[place]], sign)]
        for place, face in zip(new, face_values(block, new, self._order), strict=True):
            held[label[place]] = float(values[place]), face


def _beats(value: float, held: tuple[float, Any] | None, sign: int) -> bool:
    return held is None or sign * value > sign * held[0]


def _sizes(kept: Sequence[int]) -> list[list[int]]:
    """How many labels have so many kept faces: [first, last, labels], with growing steps."""
    ends = [0, 1, 2, 4, 9, 19, 49, 99, 199, 499, 999, 9999, 10**12]
    counts = np.bincount(np.searchsorted(ends, kept, "left"), minlength=len(ends)) if kept else np.zeros(len(ends), int)
    starts = [0, *(end + 1 for end in ends[:-1])]
    last = int(np.flatnonzero(counts).max(initial=0)) + 1
    return [[start, end, int(count)] for start, end, count in zip(starts, ends, counts, strict=True)][:last]
