"""Relations among all faces of a dataset, from its tables, for the rules of a policy that ask for them.

The tables are read once for each such rule, because it depends on which faces passed all rules before it. Of each face
only its hash, its fitness and the number of its label are held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from facesieve.dataset.manifests import Manifests, hashes_of_rows
from facesieve.errors import PolicyError
from facesieve.quality import DATASET_RELATIONS, mirrored_bits
from facesieve.records import Floats, Mask
from facesieve.relate import Duplicates, find_duplicates
from facesieve.run.derive import relations_in_pictures, with_derived_measures
from facesieve.sieve import Policy, Relations, passing_before

NAMES = frozenset(relation.name for relation in DATASET_RELATIONS)


@dataclass(frozen=True, slots=True)
class RelationsOfAll:
    """The relations among all faces by name: (N,) float64 over the rows of `faces`, in order."""

    columns: Mapping[str, Floats] = field(default_factory=dict)

    def of_rows(self, first: int, count: int) -> Relations:
        """The relations of some rows. They are known already, so the faces that they are computed among are too."""
        return {name: _Known(column[first : first + count]) for name, column in self.columns.items()}


@dataclass(frozen=True, slots=True)
class _Known:
    values: Floats

    def __call__(self, among: Mask) -> Floats:
        return self.values


def relate_all(dataset: Manifests, policy: Policy) -> RelationsOfAll:
    """All relations among all faces, if the policy has a rule on one of them. So far, `Duplicates` has all of them.

    Raises PolicyError `unmeasured` if the dataset has no hashes of crops.
    """
    columns, ruled = dict[str, Floats](), {rule.measure for rule in policy.rules}
    for rule in policy.rules:
        if rule.measure in NAMES:
            found = _duplicates(dataset, policy, rule.measure, RelationsOfAll(columns))
            columns[rule.measure] = getattr(found, rule.measure)
            for name in NAMES - ruled:  # so that the distance to the twin is known where only the rank is limited
                columns[name] = getattr(found, name)
    return RelationsOfAll(columns)


def _duplicates(dataset: Manifests, policy: Policy, name: str, before: RelationsOfAll) -> Duplicates:
    """The near-duplicates among the faces that pass every rule before the one on a relation."""
    hashes, labels, fitness, among = [], [], [], []
    codes, first = {"": -1}, 0
    for block in dataset.blocks():
        measures = with_derived_measures(dataset.measures(block.faces), block)
        gap = dataset.about.origin.shot_gap
        relations = {**relations_in_pictures(measures, block, gap), **before.of_rows(first, len(block.faces))}
        first += len(block.faces)
        among.append(passing_before(policy, name, measures, relations))
        hashes.append(hashes_of_rows(block.faces))
        fitness.append(measures.columns.get("fitness", np.full(len(block.faces), np.nan)))
        names = block.faces["label"].to_pylist()
        labels.append(np.array([codes.setdefault(label or "", len(codes) - 1) for label in names], np.intp))
    held = np.concatenate([np.zeros((0, 32), np.uint8), *hashes])
    passed = np.concatenate([np.zeros(0, bool), *among])
    if passed.any() and not held[passed].any():
        raise PolicyError(
            "unmeasured",
            f"Policy {policy.name!r} asks for {name!r}, but {dataset.layout.root} has no hashes of crops, because an"
            " earlier version built it. Build it again.",
        )
    label_numbers = np.concatenate([np.zeros(0, np.intp), *labels])
    fitness_of_all = np.concatenate([np.zeros(0), *fitness])
    return find_duplicates(held, mirrored_bits(), label_numbers, fitness_of_all, passed)
