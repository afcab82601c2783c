"""Statistics of a finished dataset, from its tables alone: what came in, what was kept, and how it is distributed."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc

from facesieve.dataset.manifests import Manifests
from facesieve.dataset.tables.counts import Counts
from facesieve.quality import PITCH_BINS, YAW_BINS, pose_bins
from facesieve.records import BY_HAND, Floats

GroupBy = Literal["label", "source", "reason"]
PERCENTILES = (5, 25, 50, 75, 95)
_MEMBER = re.compile(r"!|:\d+(?:!|$)")


@dataclass(frozen=True, slots=True)
class Distribution:
    """One measure of the kept faces. measured: how many of them have it. percentiles: 5, 25, 50, 75 and 95 %.

    histogram: how many are in each of ten equal intervals between the first and the last percentile.
    """

    measured: int
    percentiles: tuple[float, ...]
    histogram: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """The statistics of a dataset.

    counts: of pictures and faces. funnel: how many faces are left after each step. labels: kept faces by label.
    measures: by name. poses: kept faces by pose bin, as `frontal level`; those whose pose was not measured are
    `not measured`.
    """

    counts: Counts
    funnel: Mapping[str, int]
    labels: Mapping[str, int]
    measures: Mapping[str, Distribution]
    poses: Mapping[str, int]

    def below(self, least: int) -> dict[str, int]:
        """The labels with fewer kept faces than `least`, the smallest first."""
        return {name: number for name, number in reversed(list(self.labels.items())) if name and number < least}

    def as_json(self) -> dict[str, Any]:
        """The statistics as JSON values."""
        return {**asdict(self), "counts": self.counts.as_json()}


def statistics(dataset: Manifests) -> Stats:
    """Read the tables of a dataset, one column of measures at a time."""
    return Stats(
        dataset.about.counts,
        funnel(dataset),
        _labels(dataset),
        {name: distribution(_kept(dataset, name)) for name in dataset.names},
        pose_counts(_kept(dataset, "yaw"), _kept(dataset, "pitch")),
    )


def group_counts(dataset: Manifests, by: GroupBy) -> dict[str, dict[str, int]]:
    """Faces and kept faces of each label, folder or archive of pictures, or reason; the largest group first."""
    faces, kept = Counter[str](), Counter[str]()
    column = {"label": "label", "source": "source", "reason": "reasons"}[by]
    name_of: Callable[[Any], list[str]] = {
        "label": lambda label: [label or ""],
        "source": lambda source: [container_of(source)],
        "reason": lambda reasons: list(reasons),
    }[by]
    for rows in dataset.face_tables([column, "kept"]):
        for value, was_kept in zip(rows[column].to_pylist(), rows["kept"].to_pylist(), strict=True):
            for name in name_of(value):
                faces[name] += 1
                kept[name] += was_kept
    order = sorted(faces, key=lambda name: (-faces[name], name))
    return {name: {"faces": faces[name], "kept": kept[name]} for name in order}


def distribution(numbers: Floats) -> Distribution:
    """The distribution of numbers; NaN is not measured."""
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return Distribution(0, (), ())
    found = np.percentile(known, PERCENTILES)
    first, last = float(found[0]), float(found[-1])
    counts, _ = np.histogram(known.clip(first, last), 10, (first, last if last > first else first + 1))
    return Distribution(len(known), tuple(found.tolist()), tuple(counts.tolist()))


def pose_counts(yaw: Floats, pitch: Floats) -> dict[str, int]:
    """How many faces are in each pose bin; bins without faces are listed too."""
    bins = pose_bins(yaw, pitch)
    counts = np.bincount(bins[bins >= 0], minlength=len(YAW_BINS) * len(PITCH_BINS)).tolist()
    names = [f"{turned} {nodded}" for nodded in PITCH_BINS for turned in YAW_BINS]
    return {**dict(zip(names, counts, strict=True)), "not measured": int((bins < 0).sum())}


def funnel(dataset: Manifests) -> dict[str, int]:
    """Pictures, those read, faces, and the faces that are left after each reason, in the order of the policy."""
    first = Counter[str]()
    for rows in dataset.face_tables(["reasons", "kept"]):
        reasons = rows.filter(pc.invert(rows["kept"]))["reasons"].combine_chunks()
        some = reasons.filter(pc.greater(pc.list_value_length(reasons), 0))
        first.update(pc.list_element(some, 0).to_pylist())
    counts = dataset.about.counts
    steps = {"pictures": counts.pictures, "read": counts.with_rows, "faces": counts.faces}
    left = counts.faces
    order = [BY_HAND, *(str(rule.get("reason")) for rule in dataset.about.origin.policy.rules)]
    for reason in sorted(first, key=lambda code: (order.index(code) if code in order else len(order), code)):
        left -= first[reason]
        steps[f"without {reason}"] = left
    return steps


def _labels(dataset: Manifests) -> dict[str, int]:
    counts = Counter[str]()
    for rows in dataset.face_tables(["label", "kept"]):
        counts.update(dict.fromkeys(pc.unique(rows["label"]).to_pylist(), 0))
        counts.update(rows.filter(rows["kept"])["label"].to_pylist())
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0] or "")))


def _kept(dataset: Manifests, name: str) -> Floats:
    columns = [
        np.asarray(rows.filter(rows["kept"])[name].fill_null(np.nan), np.float64)
        for rows in dataset.face_tables([name, "kept"])
    ]
    return np.concatenate([np.zeros(0), *columns])


def container_of(source: str) -> str:
    """The archive or list that a picture is in, or its folder."""
    found = _MEMBER.search(source)
    return source[: found.start()] if found else posixpath.dirname(source) or "."


def lines(stats: Stats, least: int) -> Iterator[str]:
    """Yield the lines of a text for people. least: labels with fewer kept faces are counted as small."""
    yield stats.counts.line()
    yield ""
    for step, number in stats.funnel.items():
        yield f"{step:<28} {number:>10,}"
    named = [name for name in stats.labels if name]
    yield ""
    yield f"labels: {len(named):,}; with fewer than {least} kept faces: {len(stats.below(least)):,}"
    yield ""
    yield f"{'measure (kept faces)':<34}" + "".join(f"{f'{part} %':>11}" for part in PERCENTILES) + "   from 5 to 95 %"
    for name, held in stats.measures.items():
        if held.measured:
            numbers = "".join(f"{number:>11.4g}" for number in held.percentiles)
            yield f"{name:<34}{numbers}   {bars(held.histogram)}"
    yield ""
    yield f"{'pose (kept faces)':<28}" + "".join(f"{name:>15}" for name in YAW_BINS)
    for nodded in PITCH_BINS:
        yield f"{nodded:<28}" + "".join(f"{stats.poses[f'{turned} {nodded}']:>15,}" for turned in YAW_BINS)


def bars(histogram: tuple[int, ...]) -> str:
    """A histogram as a line of blocks.

    >>> bars((0, 1, 2, 8))
    '▁▂▃█'
    """
    most = max(histogram, default=0) or 1
    return "".join("▁▂▃▄▅▆▇█"[min(7, -(-7 * count // most))] for count in histogram)
