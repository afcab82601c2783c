"""A time line for each of some clips: when each track is seen, and its kept shots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.report.figures.block import FaceBlock
from facesieve.report.figures.faces import face_values, shortened

STEPS = 200  # of one time line
TRACKS = 40  # of one clip, those with the most faces
SHOTS = 24  # kept faces of one clip that are shown


class TimeLines:
    """Looks at the faces of some clips. clips: rows of `pictures`."""

    def __init__(self, clips: Sequence[Mapping[str, Any]], total: int) -> None:
        self._clips, self._total = clips, total
        self._sources = pa.array([clip["source"] for clip in clips], pa.string())
        self._steps = np.array([(clip["duration"] or 1.0) / STEPS for clip in clips])
        self._seen: list[Counter[tuple[int, int]]] = [Counter() for _ in clips]
        self._shots: list[list[dict[str, Any]]] = [[] for _ in clips]

    def add(self, block: FaceBlock) -> None:
        """Look at the next faces."""
        if not self._clips:
            return
        clip = np.asarray(pc.index_in(block.rows["source"], self._sources).fill_null(-1).combine_chunks())
        time, track = (np.asarray(block.rows[name].fill_null(0).combine_chunks()) for name in ("time", "track"))
        for number in np.unique(clip[clip >= 0]).tolist():
            mine = np.flatnonzero(clip == number)
            steps = (time[mine] / self._steps[number]).astype(np.int64)
            self._seen[number].update(zip(track[mine].tolist(), steps.tolist(), strict=True))
            kept = mine[block.kept[mine]][: SHOTS - len(self._shots[number])]
            self._shots[number] += face_values(block, kept)

    def as_json(self) -> Mapping[str, Any]:
        """The time lines as JSON values."""
        return {"total": self._total, "rows": [self._line(number) for number in range(len(self._clips))]}

    def _line(self, number: int) -> Mapping[str, Any]:
        clip, seen = self._clips[number], self._seen[number]
        faces = Counter[int]()
        for (track, _), count in seen.items():
            faces[track] += count
        shown = sorted(track for track, _ in faces.most_common(TRACKS))
        place = Path(clip["source"])
        return {
            **clip,
            "source": shortened(clip["source"]),
            "uri": place.as_uri() if place.is_absolute() else None,
            "step": float(self._steps[number]),
            "tracks": len(faces),
            "seen": sorted([track, step] for track, step in seen if track in shown),
            "shots": sorted(self._shots[number], key=lambda face: face["time"]),
        }
