"""One dataset that is looked through: the columns in memory, what people decided, and the answers for the page.

All methods may take some hundred milliseconds for a million faces. They are called by one thread at a time.
"""

from __future__ import annotations

import getpass
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facesieve.dataset.decision_file import Change, change_decisions
from facesieve.dataset.tables.decisions import Effect
from facesieve.errors import DatasetError, UsageError
from facesieve.quality import ALL_MEASURES, is_relation
from facesieve.review.detail import Details
from facesieve.review.faces import Rows, read_faces
from facesieve.review.hand import Hand
from facesieve.review.limits import Limits, Live, LiveJudge, with_limits
from facesieve.review.pictures import Crops
from facesieve.review.policy_file import policy_toml
from facesieve.review.query import Finder, Query
from facesieve.run.claim import is_locked
from facesieve.run.open_dataset import open_dataset
from facesieve.settings import Settings
from facesieve.sieve import Policy

MOST_ROWS = 2000  # faces in one answer
MOST_LABELS = 200
MOST_NAME_BYTES = 200  # of a new folder
MOST_SELECTIONS = 8  # in memory, 4 bytes a face each
_UNDECIDED = {"verdict": None, "label": None, "version": 0}
SIDE = 1600  # pixels of a source picture


class Session:
    """Looks through the dataset in a folder. revision: how often the dataset was read; row numbers hold for one."""

    def __init__(self, root: Path, settings: Settings, who: str = "") -> None:
        self._root, self._settings, self.revision = root, settings, 0
        self._who = who or _user()
        self._load()

    def _load(self) -> None:
        self._faces = faces = read_faces(self._root)
        self._hand, self._judge = Hand(faces), LiveJudge(faces)
        self._finder, self._crops, self._details = Finder(faces, self._judge), Crops(faces), Details(faces)
        self._selections = OrderedDict[object, Rows]()
        self._live: tuple[object, Live | None] = (None, None)
        self._version = 0
        self.revision += 1

    def refresh(self, revision: int | None) -> None:
        """Follow what changed on disk. revision: the one that the caller knows; None for any.

        Raises DatasetError `dataset_changed` if the rows that the caller knows are not those of now, and what reading
        the dataset raises.
        """
        try:
            self._faces.check_unchanged()
        except DatasetError:
            self._load()
        if self._hand.follow():
            self._version += 1
        if revision not in (None, self.revision):
            raise DatasetError("dataset_changed", "The dataset was written again. The page loads it anew.")

    def facts(self) -> dict[str, Any]:
        """What the page needs once."""
        faces, about = self._faces, self._faces.dataset.about
        known = {measure.name: measure for measure in ALL_MEASURES}
        return {
            "revision": self.revision,
            "name": self._root.resolve().name,
            "path": str(self._root.resolve()),
            "who": self._who,
            "faces": len(faces),
            "pictures": about.counts.pictures,
            "refused": about.counts.refused,
            "labels": len(faces.labels),
            "policy": about.origin.policy.name,
            "rules": [_rule(rule) for rule in faces.policy.describe()["rules"]],
            "measures": [_measure(known[name]) for name in faces.dataset.names if name in known],
            "problem": self._problem(),
        }

    def changes(self) -> dict[str, Any]:
        """What a window asks for now and then: whether anything was decided elsewhere."""
        return {"revision": self.revision, "version": self._version, **self._hand.decisions.counts()}

    def window(self, query: Query, limits: Limits, first: int, count: int, selection: str = "") -> dict[str, Any]:
        """Some of the faces that a query selects, and how many there are.

        first: the position of the first one. selection: an id; with another one, the faces are selected anew.
        """
        policy, live = self._judged(limits)
        rows = self._selected(query, policy, live, selection)
        shown = rows[max(0, first) : max(0, first) + min(count, MOST_ROWS)]
        value = None if query.sort == "source" else _numbers(self._faces.measure(query.sort)[shown])
        hand, faces = self._hand, self._faces
        return {
            **self.changes(),
            "total": len(rows),
            "first": first,
            "rows": shown.tolist(),
            "kept": live.kept[shown].astype(int).tolist(),
            "passed": live.passed[shown].astype(int).tolist(),
            "hand": hand.verdict[shown].tolist(),
            "label": [faces.labels[number] for number in hand.label[shown].tolist()],
            "values": value,
        }

    def position(self, query: Query, limits: Limits, row: int, selection: str = "") -> dict[str, Any]:
        """Where a face is among those that a query selects; -1 if it is not."""
        policy, live = self._judged(limits)
        found = np.flatnonzero(self._selected(query, policy, live, selection) == self._checked(row))
        return {"position": int(found[0]) if len(found) else -1}

    def counts(self, limits: Limits) -> dict[str, Any]:
        """How many faces the limits keep, how many fail each rule, and what the limits change."""
        policy, live = self._judged(limits)
        before = self._judge.judge(self._faces.policy, self._hand.verdict).kept
        kept = int(np.count_nonzero(live.kept))
        return {
            "kept": kept,
            "rejected": len(self._faces) - kept,
            "failed": dict(live.failed),
            "newly_kept": int(np.count_nonzero(live.kept & ~before)),
            "newly_rejected": int(np.count_nonzero(before & ~live.kept)),
            "unknown": live.unknown,
            "relations": any(is_relation(rule.measure) for rule in policy.rules),
        }

    def histograms(self, names: Sequence[str], query: Query, limits: Limits) -> dict[str, Any]:
        """The histogram of each of some measures among the faces that the other filters select."""
        policy, live = self._judged(limits)
        answer = dict[str, Any]()
        for name in names:
            self._check_measure(name)
            mask = self._finder.mask(query, policy, live, self._hand, but=name)
            answer[name] = self._finder.histogram(name, mask, live.kept)
        return answer

    def labels(self, part: str) -> dict[str, Any]:
        """The labels that contain a text, with how many faces have them; those with most faces first."""
        counts = np.bincount(self._hand.label, minlength=len(self._faces.labels))
        found = [(name, int(counts[at])) for at, name in enumerate(self._faces.labels) if counts[at]]
        found = [pair for pair in found if part.casefold() in pair[0].casefold()]
        found.sort(key=lambda pair: (-pair[1], pair[0]))
        return {"labels": found[:MOST_LABELS], "more": max(0, len(found) - MOST_LABELS)}

    def crops(self, rows: Sequence[int]) -> list[bytes]:
        """The small picture of each face, PNG or JPEG; b"" if there is none."""
        return [self._crops.read(self._checked(row)) for row in rows[:MOST_ROWS]]

    def face(self, row: int, limits: Limits) -> dict[str, Any]:
        """Everything about one face."""
        policy, live = self._judged(limits)
        return self._details.face(self._checked(row), policy, self._hand, live.kept)

    def picture(self, row: int) -> bytes:
        """The source picture of a face with its box, as JPEG. Raises UsageError `no_source_picture`."""
        return self._details.picture(self._checked(row), SIDE, self._settings)

    def decide(self, changes: Sequence[tuple[int, Effect, int]], who: str, why: str) -> dict[str, Any]:
        """Store decisions: row, effect, and the version of the decision that the person saw, each.

        Returns the version of each face after that. Raises DecidedMeanwhileError, DatasetError and UsageError.
        """
        ids = [self._faces.face_id(self._checked(row)) for row, _, _ in changes]
        change_decisions(
            self._faces.dataset.layout,
            [
                Change(face, effect, who or self._who, why, seen)
                for face, (_, effect, seen) in zip(ids, changes, strict=True)
            ],
        )
        self.refresh(None)
        held = [self._hand.decisions.of(face) for face in ids]
        return {**self.changes(), "versions": [one["version"] if one else 0 for one in held]}

    def decided(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """What was decided about some faces: verdict, label, and version, which is 0 if nobody decided."""
        held = [self._hand.decisions.of(self._faces.face_id(self._checked(row))) for row in rows[:MOST_ROWS]]
        return [{name: one[name] if one else _UNDECIDED[name] for name in _UNDECIDED} for one in held]

    def policy(self, limits: Limits, name: str) -> str:
        """The limits as a policy file."""
        policy, live = self._judged(limits)
        kept = int(np.count_nonzero(live.passed))
        sentence = (
            f"Limits of {self._faces.policy.name!r} as moved in a review; they pass {kept} of {len(self._faces)} faces."
        )
        return policy_toml(policy, name or policy.name, sentence)

    def write(self, folder: str, limits: Limits) -> dict[str, Any]:
        """Judge the dataset again under these limits, with the decisions by hand, and write it into a new folder.

        folder: the name of a folder beside the dataset. Raises UsageError `no_folder` if it is no plain name.
        """
        path = self._root.resolve().parent / _plain_name(folder.strip())
        policy, _ = self._judged(limits)
        new = open_dataset(self._root).rejudge(policy, path)
        return {
            "folder": str(path),
            "line": new.after.line(),
            "kept": new.after.kept,
            "rejected": new.after.rejected,
            "without_crop": new.without_crop,
        }

    def _judged(self, limits: Limits) -> tuple[Policy, Live]:
        for name in limits:
            self._check_measure(name)
        policy = with_limits(self._faces.policy, limits)
        key = (policy.rules, self._version)
        if self._live[0] != key or self._live[1] is None:
            self._live = (key, self._judge.judge(policy, self._hand.verdict))
        assert self._live[1]
        return policy, self._live[1]

    def _selected(self, query: Query, policy: Policy, live: Live, selection: str) -> Rows:
        """The rows that a query selects. With the same id they stay the same, whatever is decided meanwhile."""
        for name in (*query.ranges, *([] if query.sort == "source" else [query.sort])):
            self._check_measure(name)
        key = (selection, repr(query), policy.rules)
        if key not in self._selections:
            while len(self._selections) >= MOST_SELECTIONS:
                self._selections.popitem(last=False)
            self._selections[key] = self._finder.rows(query, policy, live, self._hand)
        self._selections.move_to_end(key)
        return self._selections[key]

    def _check_measure(self, name: str) -> None:
        if name not in self._faces.dataset.names:
            raise UsageError("no_such_measure", f"The dataset has no measure {name[:50]!r}.")

    def _checked(self, row: int) -> int:
        if not 0 <= row < len(self._faces):
            raise UsageError("no_such_face", "There is no such face.")
        return row

    def _problem(self) -> str:
        """What keeps a person from deciding, as a code of the page's texts; "" for nothing."""
        layout = self._faces.dataset.layout
        if not os.access(layout.decisions if layout.decisions.exists() else self._root, os.W_OK):
            return "read_only"
        return "being_built" if is_locked(layout) else ""


def _plain_name(name: str) -> str:
    """The name, if it is that of a folder and not a path."""
    if not name:
        raise UsageError("no_folder", "Name a new folder for the dataset.")
    plain = name.isprintable() and not set(name) & {"/", "\\"} and name not in (".", "..") and name[0] != "-"
    if not plain or len(name.encode()) > MOST_NAME_BYTES:
        raise UsageError(
            "no_folder",
            f"Name a folder beside the dataset: at most {MOST_NAME_BYTES} bytes, no slash, backslash or control "
            "character, and no minus at the start.",
        )
    return name


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {**rule, "relation": is_relation(rule["measure"])}


def _measure(measure: Any) -> dict[str, Any]:
    return {
        "name": measure.name,
        "unit": measure.unit,
        "low": measure.low if np.isfinite(measure.low) else None,
        "high": measure.high if np.isfinite(measure.high) else None,
        "better": measure.better,
        "relation": is_relation(measure.name),
    }


def _numbers(values: Any) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # this account has no name
        return ""
