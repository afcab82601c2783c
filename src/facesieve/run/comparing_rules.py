"""Which rules of a policy compare all faces of a dataset. The comparison itself is in `relate_all`."""

from __future__ import annotations

from facesieve.quality import DATASET_RELATIONS, LABEL_RELATIONS
from facesieve.sieve import Policy, Rule

NAMES = frozenset(relation.name for relation in DATASET_RELATIONS)
OF_LABELS = frozenset(relation.name for relation in LABEL_RELATIONS)
MAIN = "rank_in_picture"


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
