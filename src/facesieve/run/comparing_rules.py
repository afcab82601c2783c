"""Which rules of a policy compare all faces of a dataset. The comparison itself is in `relate_all`."""

from __future__ import annotations

from collections.abc import Iterable

from facesieve.quality import (
    DATASET_RELATIONS,
    DUPLICATE_RELATIONS,
    HELD_OUT_RELATIONS,
    LABEL_RELATIONS,
    TRACK_RELATIONS,
)
from facesieve.sieve import Policy, Rule

NAMES = frozenset(relation.name for relation in DATASET_RELATIONS)
OF_LABELS = frozenset(relation.name for relation in LABEL_RELATIONS)
MAIN = "rank_in_picture"
# The columns that not every dataset has are the last ones, in this order.
_LAST = (*LABEL_RELATIONS, *DUPLICATE_RELATIONS, *TRACK_RELATIONS, *HELD_OUT_RELATIONS)
_PLACES = {relation.name: place for place, relation in enumerate(_LAST)}


def in_column_order(measures: Iterable[str]) -> tuple[str, ...]:
    """The names of measures once each, in the order in which datasets have them as columns."""
    return tuple(sorted(dict.fromkeys(measures), key=lambda name: _PLACES.get(name, -1)))


def first_of_all(policy: Policy, embedded: bool) -> int | None:
    """The index of the first rule that compares all faces; None if no rule does.

    embedded: whether the dataset has embeddings. With them, or if another rule needs them, the main face of a picture
    is the one that is most like the others of its label.
    """
    comparing = comparing_rules(policy, embedded)
    return next((at for at, rule in enumerate(policy.rules) if rule in comparing), None)


def comparing_rules(policy: Policy, embedded: bool) -> list[Rule]:
    """The rules that compare all faces."""
    by_label = embedded or any(rule.measure in OF_LABELS for rule in policy.rules)
    return [rule for rule in policy.rules if rule.measure in NAMES or (by_label and rule.measure == MAIN)]
