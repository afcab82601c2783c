"""What came in: sources by folder or archive, refusals by code, pictures without a face, and the largest clips."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.manifests import Manifests
from facesieve.report.figures.faces import shortened
from facesieve.report.stats import container_of

EXAMPLES = 12  # refused pictures of each code, and pictures without a face, that are named
PLACES = 30
CLIPS = 12
_NUMBERS = ("pictures", "refused", "faces", "kept")


@dataclass(slots=True)
class Pictures:
    """What `pictures` says. places: pictures, refused ones, faces and kept faces by folder or archive.

    refused: number and examples by code. without_face: number and examples. clips: rows of the clips with most faces.
    """

    places: dict[str, list[int]] = field(default_factory=dict)
    refused: dict[str, tuple[int, list[list[str]]]] = field(default_factory=dict)
    without_face: tuple[int, list[str]] = (0, [])
    clips: list[dict[str, Any]] = field(default_factory=list)
    all_clips: int = 0

    def as_json(self) -> Mapping[str, Any]:
        """The numbers as JSON values; only the largest places are named."""
        ordered = sorted(self.places.items(), key=lambda pair: (-pair[1][0], pair[0]))
        named = ordered[:PLACES] if len(ordered) > PLACES + 1 else ordered
        rest = [sum(counts) for counts in zip(*(counts for _, counts in ordered[len(named) :]), strict=True)]
        codes = sorted(self.refused.items(), key=lambda pair: (-pair[1][0], pair[0]))
        return {
            "common": _common([place for place, _ in ordered]),
            "places": [[shortened(place), *counts] for place, counts in named],
            "other_places": [len(ordered) - len(named), *rest] if rest else None,
            "refused": [[code, number, examples] for code, (number, examples) in codes],
            "without_face": self.without_face,
        }


def count_pictures(dataset: Manifests) -> Pictures:
    """Count all rows of `pictures`, a group at a time. Raises DatasetError if they are damaged."""
    found = Pictures()
    for rows in dataset.picture_tables():
        _add_places(found, rows)
        _add_refused(found, rows.filter(pc.is_valid(rows["refusal"])))
        _add_without_face(found, rows.filter(pc.and_(pc.is_null(rows["refusal"]), pc.equal(rows["faces"], 0))))
        if "frames" in rows.column_names:
            clips = rows.filter(pc.is_valid(rows["frames"]))
            found.all_clips += len(clips)
            wanted = ["source", "frames", "duration", "faces", "kept", "truncated"]
            most = sorted([*found.clips, *clips.select(wanted).to_pylist()], key=lambda one: -one["faces"])
            found.clips = most[:CLIPS]
    return found


def _add_places(found: Pictures, rows: pa.Table) -> None:
    refused = pc.is_valid(rows["refusal"])
    columns = [refused.to_pylist(), *(rows[name].fill_null(0).to_pylist() for name in ("faces", "kept"))]
    for source, is_refused, faces, kept in zip(rows["source"].to_pylist(), *columns, strict=True):
        counts = found.places.setdefault(container_of(source), [0] * len(_NUMBERS))
        for number, value in enumerate((1, is_refused, faces, kept)):
            counts[number] += value


def _add_refused(found: Pictures, rows: pa.Table) -> None:
    for code in pc.unique(rows["refusal"]).to_pylist():
        mine = rows.filter(pc.equal(rows["refusal"], code))
        number, examples = found.refused.get(code, (0, []))
        some = mine.slice(0, EXAMPLES - len(examples)).select(["source", "message"]).to_pylist()
        new = [[shortened(one["source"]), shortened(one["message"] or "")] for one in some]
        found.refused[code] = number + len(mine), [*examples, *new]


def _add_without_face(found: Pictures, rows: pa.Table) -> None:
    number, examples = found.without_face
    some = rows["source"].slice(0, EXAMPLES - len(examples)).to_pylist()
    found.without_face = number + len(rows), [*examples, *map(shortened, some)]


def _common(places: list[str]) -> str:
    """The folder that all places are in, with a slash at its end; "" if there is none."""
    if not places:
        return ""
    first, last = min(places), max(places)
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[: first.rfind("/", 0, same) + 1] if same < max(len(first), len(last)) else posixpath.dirname(first)
