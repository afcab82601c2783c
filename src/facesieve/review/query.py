"""Which faces the grid shows, and in which order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from pydantic import Field, FiniteFloat

from facesieve.quality import ALL_MEASURES
from facesieve.records import Mask
from facesieve.report.figures.scale import scale_of
from facesieve.review.faces import Faces, Rows
from facesieve.review.hand import Hand
from facesieve.review.limits import Live, LiveJudge
from facesieve.sieve import Policy

MOST_ORDERS = 4  # sorted orders in memory, 4 bytes a face each
MOST_BARS = 16  # measures whose bars are in memory, a byte a face each
SAMPLE = 100_000  # values from which the edges of the bars are chosen
Part = Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Query:
    """What to show. An empty field filters nothing.

    verdict: `kept`, `rejected` or `by_hand`. reason: a measure whose rule the face fails. label, source: text that both
    contain; `label` with a leading `=` is the whole label. face: first digits of an id. ranges: low and high of
    measures, inclusive. sort: `source` or a measure; missing values come last. descending: the order of the sort.
    """

    verdict: Literal["", "kept", "rejected", "by_hand"] = ""
    reason: Part = ""
    label: Part | None = None
    source: Part = ""
    face: Part = ""
    ranges: Mapping[str, tuple[FiniteFloat, FiniteFloat]] = field(default_factory=dict)
    sort: Part = "source"
    descending: bool = False


class Finder:
    """Answers queries about the faces of one dataset."""

    def __init__(self, faces: Faces, judge: LiveJudge) -> None:
        self._faces, self._judge = faces, judge
        self._orders = OrderedDict[str, Rows]()
        self._held_bars = OrderedDict[str, tuple[tuple[float, ...], npt.NDArray[np.uint8]]]()
        self._sources: tuple[str, Mask] = ("", np.zeros(0, bool))
        self._labels: tuple[object, Mask] = ("", np.zeros(0, bool))

    def rows(self, query: Query, policy: Policy, live: Live, hand: Hand) -> Rows:
        """The rows of the faces that a query selects, in its order."""
        mask = self.mask(query, policy, live, hand)
        order = self._order(query.sort)
        if order is None:
            rows = np.flatnonzero(mask).astype(np.int32)
            return rows[::-1] if query.descending else rows
        known = np.count_nonzero(~np.isnan(self._faces.measure(query.sort)))
        front, back = order[:known], order[known:]
        order = np.concatenate([front[::-1], back]) if query.descending else order
        return order[mask[order]]

    def mask(self, query: Query, policy: Policy, live: Live, hand: Hand, but: str = "") -> Mask:
        """(N,) which faces a query selects. but: a measure whose range is ignored."""
        mask = np.ones(len(self._faces), bool)
        if query.verdict in ("kept", "rejected"):
            mask &= live.kept if query.verdict == "kept" else ~live.kept
        elif query.verdict == "by_hand":
            mask = np.zeros(len(self._faces), bool)
            mask[hand.decided] = True
        for rule in policy.rules:
            if rule.measure == query.reason:
                mask &= ~self._judge.outcome(rule)[0]
        if query.label is not None:
            mask &= self._label_mask(query.label)[hand.label]
        if query.source:
            mask &= self._source_mask(query.source)[self._faces.picture]
        if query.face:
            mask &= self._id_mask(query.face)
        for name, (low, high) in query.ranges.items():
            if name != but:
                values = self._faces.measure(name)
                mask &= (values >= low) & (values <= high)
        return mask

    def histogram(self, name: str, mask: Mask, kept: Mask) -> dict[str, object]:
        """How many kept and rejected faces are in each bar of a measure, among those of a mask; and its edges.

        The first and the last bar also hold what lies beyond. missing: how many were not measured.
        """
        edges, bar = self._bars(name)
        counts = np.bincount((2 * bar + kept)[mask], minlength=2 * len(edges)).reshape(-1, 2)
        missing, bars = int(counts[-1].sum()), counts[:-1]
        return {"edges": edges, "kept": bars[:, 1].tolist(), "rejected": bars[:, 0].tolist(), "missing": missing}

    def _bars(self, name: str) -> tuple[tuple[float, ...], npt.NDArray[np.uint8]]:
        """The edges of the bars of a measure; (N,) the bar of each face, the number of bars if it has no value."""
        if name not in self._held_bars:
            while len(self._held_bars) >= MOST_BARS:
                self._held_bars.popitem(last=False)
            values, edges = self._faces.measure(name), self._edges(name)
            bar = np.searchsorted(edges[1:-1], values, "right").astype(np.uint8)
            bar[np.isnan(values)] = len(edges) - 1
            self._held_bars[name] = (edges, bar)
        self._held_bars.move_to_end(name)
        return self._held_bars[name]

    def _edges(self, name: str) -> tuple[float, ...]:
        values = self._faces.measure(name)
        known = values[:: max(1, len(values) // SAMPLE)]
        known = known[~np.isnan(known)]
        [measure] = (one for one in ALL_MEASURES if one.name == name)
        limits = [one for rule in self._faces.policy.rules if rule.measure == name for one in (rule.low, rule.high)]
        scale = scale_of(measure, known, (one for one in limits if one is not None))
        return scale.edges if scale else (0.0, 1.0)

    def _order(self, name: str) -> Rows | None:
        """(N,) the rows by one measure, ascending, missing values last; None for the order of the manifest."""
        if name == "source":
            return None
        if name not in self._orders:
            while len(self._orders) >= MOST_ORDERS:
                self._orders.popitem(last=False)
            self._orders[name] = np.argsort(self._faces.measure(name), kind="stable").astype(np.int32)
        self._orders.move_to_end(name)
        return self._orders[name]

    def _label_mask(self, label: str) -> Mask:
        key = (label, len(self._faces.labels))
        if self._labels[0] != key:
            names, whole = self._faces.labels, label.startswith("=")
            part = label.removeprefix("=").casefold()
            mask = [name == label[1:] if whole else part in name.casefold() for name in names]
            self._labels = (key, np.array(mask, bool))
        return self._labels[1]

    def _source_mask(self, part: str) -> Mask:
        if self._sources[0] != part:
            found = pc.match_substring(self._faces.sources, part, ignore_case=True)
            self._sources = (part, np.asarray(found, bool))
        return self._sources[1]

    def _id_mask(self, prefix: str) -> Mask:
        digits = prefix.lower()
        if len(digits) > 32 or not all(sign in "0123456789abcdef" for sign in digits):
            return np.zeros(len(self._faces), bool)
        ids = self._faces.ids.view(np.uint8).reshape(-1, 16)
        first = bytes.fromhex(digits[: len(digits) // 2 * 2])
        mask: Mask = (ids[:, : len(first)] == np.frombuffer(first, np.uint8)).all(axis=1)
        return mask & (ids[:, len(first)] >> 4 == int(digits[-1], 16)) if len(digits) % 2 else mask
