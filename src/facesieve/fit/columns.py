"""The measures of all faces of a dataset as columns, and which of them can be limited."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesieve.dataset.manifests import Manifests
from facesieve.errors import DatasetError, PolicyError
from facesieve.quality import MEASURES
from facesieve.records import Floats
from facesieve.sieve import Policy, Rule
from facesieve.sieve.nearest import did_you_mean

OF_ONE_FACE = {measure.name: measure for measure in MEASURES}


def read_columns(dataset: Manifests, names: Sequence[str], lacking: bool = False) -> dict[str, Floats]:
    """(N,) float64 of each measure, over all faces, kept or not. NaN where it was not measured.

    lacking: whether a measure may be lacking. Memory: 8 bytes per face and measure. Raises DatasetError `no_faces` if
    there are none, and `not_measured` if no face has a measure that may not be lacking.
    """
    parts: dict[str, list[Floats]] = {name: [] for name in names}
    held = [name for name in parts if name in dataset.names]
    for rows in dataset.face_tables(held):
        for name in held:
            parts[name].append(np.asarray(rows[name].combine_chunks().fill_null(np.nan), np.float64))
    root = dataset.layout.root
    if not dataset.about.counts.faces:
        raise DatasetError("no_faces", f"{root} has no faces, so there is nothing to choose limits from.")
    unknown = [np.full(dataset.about.counts.faces, np.nan)]
    columns = {name: np.concatenate(some if name in held else unknown) for name, some in parts.items()}
    absent = next((name for name, column in columns.items() if not np.isfinite(column).any()), None)
    if absent and not lacking:
        raise DatasetError(
            "not_measured",
            f"No face of {root} has {absent!r}. Name other measures with --measure, or build the dataset again.",
        )
    return columns


def check_measures(names: Sequence[str]) -> None:
    """Raise PolicyError `unknown_measure` if one of the names is not that of a measure of a single face."""
    unknown = next((name for name in names if name not in OF_ONE_FACE), None)
    if unknown is not None:
        suggestion = did_you_mean(unknown, OF_ONE_FACE)
        raise PolicyError("unknown_measure", f"No measure of a single face is called {unknown!r}{suggestion}")


def rules_to_fit(policy: Policy, measures: Sequence[str]) -> tuple[Rule, ...]:
    """The rules whose limits are chosen: those of the policy that reject bad values, or one for each named measure.

    Relations are left out, and so are rules that reject good values, such as a greatest face size.
    Raises PolicyError as `check_measures`, and `nothing_to_fit` if nothing is left.
    """
    check_measures(measures)
    ruled = {rule.measure: rule for rule in policy.rules}
    if measures:
        return tuple(ruled.get(name) or Rule(measure=name, low=0) for name in dict.fromkeys(measures))
    found = tuple(rule for rule in policy.rules if rule.measure in OF_ONE_FACE and _rejects_bad_values(rule))
    if not found:
        raise PolicyError("nothing_to_fit", f"Policy {policy.name!r} has no rule on single faces. Name --measure.")
    return found


def _rejects_bad_values(rule: Rule) -> bool:
    unlimited = {"high": rule.high, "low": rule.low}
    return unlimited.get(OF_ONE_FACE[rule.measure].better) is None
