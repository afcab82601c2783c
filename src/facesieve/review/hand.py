"""The decisions by hand as columns beside those of all faces. They follow the file, which others may change too."""

from __future__ import annotations

import numpy as np

from facesieve.dataset.decision_file import read_decisions
from facesieve.dataset.tables.decisions import NO_DECISIONS, Decisions
from facesieve.records import ByHand
from facesieve.review.faces import Faces, Rows, Stamp, stamp_of


class Hand:
    """What people decided about N faces.

    verdict: (N,) int8, KEEP, REJECT or 0. label: (N,) the label of each face now, as an index into `Faces.labels`.
    decided: rows of faces about which someone decided, ascending.
    """

    def __init__(self, faces: Faces) -> None:
        self._faces, self._path = faces, faces.dataset.layout.decisions
        self._stamp: Stamp | None = None
        self.decisions: Decisions = NO_DECISIONS
        self.verdict: ByHand = np.zeros(len(faces), np.int8)
        self.label: Rows = faces.found
        self.decided: Rows = np.zeros(0, np.int32)
        self.follow()

    def follow(self) -> bool:
        """Take over what was decided since the last call, also by other processes. Returns whether anything changed."""
        stamp = stamp_of(self._path)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self.decisions = read_decisions(self._faces.dataset.layout)
        self._take_over()
        return True

    def _take_over(self) -> None:
        faces, table = self._faces, self.decisions.table
        self.verdict, self.label = np.zeros(len(faces), np.int8), faces.found.copy()
        verdicts = self.decisions.verdicts(table["face_id"])
        numbers = {label: number for number, label in enumerate(faces.labels)}
        found, decided = faces.rows_of(table["face_id"].to_pylist()), list[Rows]()
        for rows, verdict, label in zip(found, verdicts.tolist(), table["label"].to_pylist(), strict=True):
            self.verdict[rows] = verdict
            if label is not None:
                if label not in numbers:
                    numbers[label] = len(faces.labels)
                    faces.labels.append(label)
                self.label[rows] = numbers[label]
            if verdict or label is not None:
                decided.append(rows)
        self.decided = np.sort(np.concatenate([np.zeros(0, np.int32), *decided]))
