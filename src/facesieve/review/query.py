"""Which faces the grid shows, and in which order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import pyarrow.compute as pc
from pydantic import Field, FiniteFloat

from facesieve.records import Mask
from facesieve.review.faces import Faces, Rows
from facesieve.review.hand import Hand
from facesieve.review.limits import Live, LiveJudge
from facesieve.sieve import Policy

MOST_ORDERS = 4  # sorted orders in memory, 4 bytes a face each
BINS = 48
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
        self._orders, self._spans = OrderedDict[str, Rows](), dict[str, tuple[float, float]]()
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
        """How many kept and rejected faces are in each of BINS bins of a measure, among those of a mask.

        The bins span the values of all faces without the outermost 0.1 % on each side, which are in the end bins.
        """
        values = self._faces.measure(name)
        low, high = self._span(name)
        scale = BINS / (high - low) if high > low else 0.0
        with np.errstate(invalid="ignore"):
            place = np.clip((values - low) * scale, 0, BINS - 1)
        there = mask & ~np.isnan(values)
        counts = [np.bincount(place[there & side].astype(np.int8), minlength=BINS).tolist() for side in (kept, ~kept)]
        missing = int(np.count_nonzero(mask)) - int(np.count_nonzero(there))
        return {"low": low, "high": high, "kept": counts[0], "rejected": counts[1], "missing": missing}

    def _span(self, name: str) -> tuple[float, float]:
        if name not in self._spans:
            values = self._faces.measure(name)
            known = values[~np.isnan(values)]
            cut = len(known) // 1000
            ends = np.partition(known, [cut, len(known) - 1 - cut]) if len(known) else np.zeros(1)
            low, high = float(ends[cut]), float(ends[len(known) - 1 - cut])
            self._spans[name] = (low, high) if high > low else (low - 0.5, low + 0.5)
        return self._spans[name]

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
