"""Some rows of faces with what the rules of the policy say about each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.manifests import Manifests, measures_of_rows
from facesieve.quality import is_relation
from facesieve.records import Mask, Measures
from facesieve.sieve import Policy

COLUMNS = ("face_id", "source", "label", "kept", "reasons")
OF_CLIPS = ("time", "track")


@dataclass(frozen=True, slots=True, eq=False)
class FaceBlock:
    """N rows of faces.

    rows: a table with `COLUMNS`, and with `OF_CLIPS` if the dataset has clips. measures: N numbers by name.
    kept: (N,) boolean, the recorded verdict. failed: (rules, N) boolean, which rules each face fails.
    by_rules: (N,) boolean, whether the verdict follows from the rules; not for a face that a person judged.
    """

    rows: pa.Table
    measures: Measures
    kept: Mask
    failed: npt.NDArray[np.bool_]
    by_rules: Mask

    def passes_others(self, rule: int | None) -> Mask:
        """(N,) boolean: which faces pass every rule but this one; with None, every rule."""
        others = self.failed.sum(axis=0) - (0 if rule is None else self.failed[rule])
        passes: Mask = self.by_rules & (others == 0)
        return passes


class Figure(Protocol):
    """What is counted for one part of the report. Its memory does not depend on the number of faces."""

    def add(self, block: FaceBlock) -> None:
        """Count the next faces."""

    def as_json(self) -> Mapping[str, Any]:
        """What was counted, as JSON values."""


def face_blocks(dataset: Manifests, policy: Policy, names: Collection[str]) -> Iterator[FaceBlock]:
    """Yield all rows of faces. names: the measures to read. Raises DatasetError if a manifest is damaged."""
    decided = _decided(dataset)
    of_clips = OF_CLIPS if dataset.about.origin.clips else ()
    for rows in dataset.face_tables([*COLUMNS, *of_clips, *names]):
        measures = measures_of_rows(rows, tuple(names))
        kept, failed = np.asarray(rows["kept"]), failures(policy, measures)
        by_rules = (kept == ~failed.any(axis=0)) & ~np.asarray(pc.is_in(rows["face_id"], decided))
        yield FaceBlock(rows.select([*COLUMNS, *of_clips]), measures, kept, failed, by_rules)


def _decided(dataset: Manifests) -> pa.Array:
    """The ids of the faces that a person kept or rejected."""
    decisions = dataset.decisions
    if not len(decisions):
        return pa.array([], pa.string())
    effects = decisions.effects()
    return effects.filter(pc.is_valid(effects["verdict"]))["face_id"].combine_chunks()


def failures(policy: Policy, measures: Measures) -> npt.NDArray[np.bool_]:
    """(rules, N) boolean: which rules each face fails. measures: as recorded, with the relations.

    A rule on a relation says nothing about a face that fails an earlier rule.
    """
    count = len(next(iter(measures.columns.values()), ()))
    failed = np.zeros((len(policy.rules), count), bool)
    for number, rule in enumerate(policy.rules):
        failed[number] = ~rule.passes(measures[rule.measure])
        if is_relation(rule.measure):
            failed[number] &= ~failed[:number].any(axis=0)
    return failed
