"""Rules that compare all faces of a dataset, and decisions by hand, in a build.

    each picture alone   the rules before the first one that compares all faces ─ crop, embedding ─ ledger
    each publication     ledger ─ relations among all faces ─ all rules ─ manifests

The decisions that people made about single faces are applied in the same place.

So the ledger has only the verdicts of the first rules. Every face that passes them has a crop, because a later build
may keep it even if this one does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.decisions import NO_DECISIONS, Decisions
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.schema import measure_columns
from facesieve.errors import PolicyError
from facesieve.quality import DUPLICATE_RELATIONS, HELD_OUT_RELATIONS, LABEL_RELATIONS, OF_ONE_PICTURE
from facesieve.report.policy import recorded_policy
from facesieve.run.comparing_rules import first_of_all
from facesieve.settings import FORMER_BEHAVIOUR
from facesieve.sieve import Policy, judge_columns

if TYPE_CHECKING:
    from facesieve.run.verdicts import Verdicts


def rules_for_pictures(policy: Policy, embedded: bool) -> Policy:
    """What a build judges single pictures by: the rules before the first one that compares all faces.

    embedded: whether the build computes embeddings.
    """
    first = first_of_all(policy, embedded)
    return policy if first is None else policy.model_copy(update={"rules": policy.rules[:first]})


def check_comparable(policy: Policy, embedded: bool) -> list[str]:
    """Check that a build can compare what the rules ask for. Returns notes for the user.

    Raises PolicyError `needs_dataset` or `unmeasured` if it cannot.
    """
    held_out = {relation.name for relation in HELD_OUT_RELATIONS}
    of_labels = [rule for rule in policy.rules if rule.measure in {relation.name for relation in LABEL_RELATIONS}]
    if needing := next((rule.measure for rule in policy.rules if rule.measure in held_out), None):
        raise PolicyError(
            "needs_dataset",
            f"Policy {policy.name!r} limits {needing!r}, which compares with another dataset. Build without that rule,"
            " then: facesieve sieve DATASET --against OTHER -o NEW",
        )
    if embedded or not of_labels:
        return []
    if needing := next((rule.measure for rule in of_labels if not rule.optional), None):
        raise PolicyError(
            "unmeasured",
            f"Policy {policy.name!r} limits {needing!r}, which needs embeddings. Build with --identity dlib-resnet.",
        )
    names = " and ".join(rule.measure for rule in of_labels)
    return [
        f"no face is compared with the others of its label: policy {policy.name!r} limits {names}, but without"
        " --identity there are no embeddings"
    ]


def measures_of_build(policy: Policy) -> tuple[str, ...]:
    """The measure columns of a dataset that is built by a policy."""
    relations = [relation.name for relation in LABEL_RELATIONS + DUPLICATE_RELATIONS]
    compared = any(rule.measure in relations for rule in policy.rules)
    return (*(measure.name for measure in OF_ONE_PICTURE), *(relations if compared else ()))


def compared_verdicts(
    origin: Origin, layout: Layout, blocks: Callable[[bool], Iterator[Block]], decisions: Decisions | None
) -> Verdicts | None:
    """The verdicts on the rows of a ledger; None if the rows have their verdicts.

    They do not if a rule compares all faces, or if people decided about faces.

    blocks: reads the rows, with embeddings if its argument says so; it is called several times.
    decisions: what people decided; None if nobody ever did.
    Raises DatasetError if no valid policy is recorded.
    """
    policy, identity = recorded_policy(origin, layout.made), origin.identity
    if first_of_all(policy, identity is not None) is None and decisions is None:
        return None
    from facesieve.run.face_tables import FaceTables  # most builds compare nothing
    from facesieve.run.relate_all import relate_all
    from facesieve.run.verdicts import Verdicts

    model, by_hand = identity.model if identity else None, decisions or NO_DECISIONS
    tables = FaceTables(layout.root, measure_columns(origin.measures), model, blocks, origin.shot_gap, by_hand)
    least = origin.settings.get("min_label_faces", FORMER_BEHAVIOUR.get("min_label_faces", 3))
    return Verdicts(
        judge=partial(judge_columns, policy),
        related=relate_all(tables, policy, int(str(least))),
        held=origin.measures,
        wanted=origin.measures,
        in_tars=origin.options.outputs.in_tars,
        keeps_crops=True,
        clips=origin.clips,
        decisions=by_hand,
    )
