"""Chooses the faces of an export from columns of numbers.

facts ─┬ units and links ─ splits ─┐
       └ reasons to leave a face out ─┴ pairs, if the format has them ─ classes and positions
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from facesieve.dataset.manifests import Manifests
from facesieve.errors import UsageError
from facesieve.export.choose_pairs import Pair, choose_pairs
from facesieve.export.facts import Facts, read_facts
from facesieve.export.format import ExportFormat, Order
from facesieve.export.labels import folders, labels_in_order
from facesieve.export.left_out import REASONS, LeftOut, left_out
from facesieve.export.selection import Selection
from facesieve.export.spec import ExportSpec, Split
from facesieve.export.split import draws, splits_of
from facesieve.export.twins import near_duplicates
from facesieve.export.where import Condition
from facesieve.records import Integers

Pairs = tuple[tuple[Pair, ...], ...]


def select(dataset: Manifests, spec: ExportSpec, kind: ExportFormat) -> Selection:
    """Choose the faces of an export.

    Raises UsageError `bad_where`, `empty_selection`, and `no_pairs` if the format needs pairs and there are none.
    """
    labelled = any(label for rows in dataset.face_tables(["label"]) for label in rows["label"].unique().to_pylist())
    by = spec.by or ("label" if labelled else "face")
    facts = read_facts(dataset, Condition.parse(spec.where), by, spec.seed)
    splits = spec.splits or (Split(name=kind.only_split, share=1.0),)
    links = [facts.picture, facts.twin, *([near_duplicates(dataset)] if len(splits) > 1 else [])]
    split = splits_of(draws(facts.unit, links), [one.share for one in splits])
    code = left_out(facts, spec, kind, split)
    pairs = _pairs(facts, code, split, len(splits), spec) if kind.order is Order.PAIRS else ()
    if not (code == 0).any():
        raise UsageError("empty_selection", _nothing(dataset, code, kind))
    return _arranged(facts, splits, by, code, split, kind, pairs)


def _pairs(facts: Facts, code: Integers, split: Integers, splits: int, spec: ExportSpec) -> Pairs:
    """The pairs of each split. Changes the code of faces that are in none."""
    among = (code == 0, *(split == at for at in range(splits)))
    pairs = tuple(choose_pairs(facts, among[0] & one, spec.pairs, spec.seed) for one in among[1:])
    held = np.zeros(len(facts), bool)
    held[[face for some in pairs for pair in some for face in (pair.first, pair.second)]] = True
    code[among[0] & ~held] = 1 + REASONS.index(LeftOut.NO_PAIR)
    return pairs


def _nothing(dataset: Manifests, code: Integers, kind: ExportFormat) -> str:
    counts = sorted(Counter(code.tolist()).items())
    what = ", ".join(f"{number} {REASONS[at - 1]}" for at, number in counts)
    why = f" Left out: {what}. {REASONS[counts[-1][0] - 1].sentence}" if counts else ""
    return f"No face of {dataset.layout.root} is left for {kind.name}.{why}"


def _arranged(
    facts: Facts,
    splits: tuple[Split, ...],
    by: str,
    code: Integers,
    split: Integers,
    kind: ExportFormat,
    pairs: Pairs,
) -> Selection:
    """Number the classes and order the faces: one split after the other, in the order that the format asks for."""
    rows = np.flatnonzero(code == 0)
    used = [
        [facts.labels[at] for at in np.unique(facts.label[rows[split[rows] == part]]).tolist()]
        for part in range(len(splits))
    ]
    all_labels = sorted({label for some in used for label in some})
    name_of = dict(zip(all_labels, folders(all_labels, kind.plain_names), strict=True))
    labels = labels_in_order(used[0], all_labels, name_of.__getitem__)
    numbers = {label: number for number, label in enumerate(labels)}
    of_label = np.array([numbers.get(label, -1) for label in facts.labels], np.int64)
    number = np.full(len(facts), -1, np.int64)
    number[rows] = of_label[facts.label[rows]]
    key = {Order.ROWS: rows, Order.RANDOM: facts.order[rows]}.get(kind.order, number[rows])
    position = np.full(len(facts), -1, np.int64)
    position[rows[np.lexsort((rows, key, split[rows]))]] = np.arange(len(rows))
    named = tuple(name_of[label] for label in labels)
    return Selection(splits, by, tuple(labels), named, code, split, number, position, pairs)
