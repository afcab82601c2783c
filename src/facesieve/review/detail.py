"""Everything about one face: its numbers beside the limits, its picture, what was decided, and its neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from facesieve.dataset.manifests import hashes_of_rows
from facesieve.dataset.tables.schema import CROP_HASH
from facesieve.errors import UsageError
from facesieve.quality import mirrored_bits
from facesieve.records import Mask
from facesieve.relate import HashColumns
from facesieve.review.faces import Faces
from facesieve.review.hand import Hand
from facesieve.review.numbers import FaceNumbers, NumbersReader
from facesieve.review.pictures import marked_source
from facesieve.settings import Settings
from facesieve.sieve import Policy, check_rules

ALIKE = 0.2  # hashes of the same picture, edited, differ in at most this share of their bits
MOST = 24  # neighbours of each kind


class Details:
    """Answers questions about single faces of one dataset."""

    def __init__(self, faces: Faces) -> None:
        self._faces, self._numbers = faces, NumbersReader(faces.dataset)
        self._hashes: HashColumns | None = None

    def face(self, row: int, policy: Policy, hand: Hand, kept: Mask) -> dict[str, Any]:
        """What the page shows of a face. kept: (N,) the verdicts under the policy."""
        held = self._numbers.of(row)
        self._faces.check_unchanged()
        face_id = self._faces.face_id(row)
        decided = hand.decisions.of(face_id)
        return {
            "row": row,
            "face": face_id,
            "source": self._faces.source(row),
            "time": held.time,
            "label": self._faces.labels[hand.label[row]],
            "found": self._faces.labels[self._faces.found[row]],
            "kept": bool(kept[row]),
            "box": [round(value) for value in held.box],
            "findings": [_finding(finding) for finding in check_rules(policy, held.measures)],
            "measures": held.measures,
            "decision": decided and {**decided, "when": decided["when"].isoformat()},
            "neighbours": self._neighbours(row, held, hand),
        }

    def picture(self, row: int, side: int, settings: Settings) -> bytes:
        """The source picture of a face with its box, as JPEG. Raises UsageError `no_source_picture`."""
        held, picture_id = self._numbers.of(row), self._numbers.picture_id(row)
        self._faces.check_unchanged()
        if held.time is not None:
            raise UsageError("no_source_picture", f"The face is in a clip, at {held.time:.1f} s.")
        return marked_source(self._faces.source(row), picture_id, held.box, side, settings)

    def _neighbours(self, row: int, held: FaceNumbers, hand: Hand) -> dict[str, list[int]]:
        same_label: Any = np.flatnonzero(hand.label == hand.label[row]) if self._faces.labels[hand.label[row]] else []
        start, end = np.searchsorted(self._faces.picture, [self._faces.picture[row], self._faces.picture[row] + 1])
        in_picture = np.arange(start, end)
        track: Any = self._same_track(in_picture, held) if held.track is not None else []
        found = {
            "duplicates": self._alike(row),
            "track": _around(track, row),
            "picture": _around(in_picture, row),
            "label": _around(same_label, row),
        }
        return {kind: rows for kind, rows in found.items() if rows}

    def _same_track(self, rows: Any, held: FaceNumbers) -> Any:
        return rows[np.array([track == held.track for track in self._numbers.tracks(rows)], bool)]

    def _alike(self, row: int) -> list[int]:
        """Rows of faces whose crops are nearly the same picture, the nearest first."""
        if self._hashes is None:
            tables = self._faces.dataset.face_tables([CROP_HASH])
            parts = [hashes_of_rows(rows) for rows in tables if not pc.all(pc.is_null(rows[CROP_HASH])).as_py()]
            held = np.concatenate([np.zeros((0, 32), np.uint8), *parts])
            self._hashes = HashColumns(held if len(held) == len(self._faces) else held[:0], mirrored_bits())
        return [int(one) for one in self._hashes.near(row, ALIKE)[:MOST]] if len(self._hashes) else []


def _around(rows: Any, row: int) -> list[int]:
    """At most MOST of some ascending rows, those around one row, without it."""
    others = [int(one) for one in rows if one != row] if len(rows) <= 4 * MOST else None
    if others is None:
        at = int(np.searchsorted(rows, row))
        others = [int(one) for one in rows[max(0, at - MOST) : at + MOST] if one != row]
    nearest = sorted(others, key=lambda one: abs(one - row))[:MOST]
    return sorted(nearest)


def _finding(finding: Any) -> dict[str, Any]:
    names = ("measure", "value", "low", "high", "passed", "reason")
    return {name: getattr(finding, name) for name in names}
