"""Relations among all faces of a dataset, from its tables, for the rules of a policy that ask for them.

    tables ─ columns of all faces ─ for each such rule: which faces passed so far ─ relation ─ its column

The tables are read once. Of each face its hash, its embedding, and the numbers that rules limit are held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from facesieve.errors import PolicyError
from facesieve.quality import DUPLICATE_RELATIONS, mirrored_bits
from facesieve.records import Floats, Mask
from facesieve.relate import (
    find_duplicates,
    fit_labels,
    label_distance,
    picture_relations,
    rank_in_picture,
    track_relations,
)
from facesieve.run.comparing_rules import MAIN, OF_LABELS, comparing_rules
from facesieve.run.face_columns import FaceColumns, face_columns
from facesieve.run.face_tables import FaceTables
from facesieve.run.held_out import HeldOut
from facesieve.sieve import Policy, Relations, Rule, passing_before

OF_DUPLICATES = frozenset(relation.name for relation in DUPLICATE_RELATIONS)
HELD_OUT = "held_out_distance"


@dataclass(frozen=True, slots=True)
class RelationsOfAll:
    """The relations among all faces by name: (N,) float64 over the rows of `faces`, in order.

    notes: sentences for the user about what could not be compared.
    """

    columns: Mapping[str, Floats] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def of_rows(self, first: int, count: int) -> Relations:
        """The relations of some rows. They are computed already, so the argument `among` of the result is ignored."""
        return {name: _Known(column[first : first + count]) for name, column in self.columns.items()}


@dataclass(frozen=True, slots=True)
class _Known:
    values: Floats

    def __call__(self, among: Mask) -> Floats:
        return self.values


def relate_all(
    tables: FaceTables, policy: Policy, min_label_faces: int, held_out: HeldOut | None = None
) -> RelationsOfAll:
    """The relations among all faces that the policy has rules on, and those that are computed together with them.

    min_label_faces: as the setting. held_out: another dataset to compare with.
    Raises PolicyError `unmeasured` if the dataset lacks what a rule needs that is not optional.
    """
    comparing = comparing_rules(policy, tables.model is not None)
    if not comparing and held_out is None:
        return RelationsOfAll()
    wanted = [*(rule.measure for rule in policy.rules), *(("yaw", "pitch") if policy.ranks_tracks else ())]
    faces, related = face_columns(tables, wanted), RelationsOfAll()
    if held_out:
        columns = {HELD_OUT: held_out.distances(faces)[0]}
        related = RelationsOfAll(columns, (held_out.note,) if held_out.note else ())
    ruled = {rule.measure for rule in comparing}
    for rule in comparing:
        if rule.measure == HELD_OUT:
            _check_held_out(policy, rule, tables, related)
            continue
        among = _passing_before(policy, rule, faces, related, tables.shot_gap)
        new, note = _relations(rule, policy, faces, among, tables, min_label_faces)
        # Keep what was computed on the way too, such as `twin_distance` if only `rank_among_duplicates` is limited.
        columns = {name: column for name, column in new.items() if name == rule.measure or name not in ruled}
        notes = (*related.notes, *([note] if note and OF_LABELS.isdisjoint(related.columns) else []))
        related = RelationsOfAll({**related.columns, **columns}, notes)
    return related


def _check_held_out(policy: Policy, rule: Rule, tables: FaceTables, related: RelationsOfAll) -> None:
    """Raise PolicyError if distances from held-out faces are neither computed nor recorded in the dataset."""
    if HELD_OUT not in {*related.columns, *tables.names}:
        raise _unmeasured(policy, rule, "no dataset was named to compare with. Name one: facesieve sieve --against")


def _relations(
    rule: Rule, policy: Policy, faces: FaceColumns, among: Mask, tables: FaceTables, least: int
) -> tuple[dict[str, Floats], str]:
    """The relation that a rule limits, and those that are computed with it; and a note for the user, or ""."""
    if rule.measure in OF_DUPLICATES:
        return _duplicates(rule, policy, faces, among, tables), ""
    if rule.measure in OF_LABELS:
        return _label_relations(rule, policy, faces, among, tables, least)
    distance = None
    if faces.vectors is not None and faces.space is not None:
        distance = label_distance(faces.vectors, faces.label, faces.order, among, faces.space, least)
    return {MAIN: rank_in_picture(faces.picture, faces.prominence, among, distance)}, ""


def _duplicates(rule: Rule, policy: Policy, faces: FaceColumns, among: Mask, tables: FaceTables) -> dict[str, Floats]:
    # Hashes and fitness came in the same version, so a dataset without fitness has no hashes.
    if among.any() and not faces.hashes[among].any() and "fitness" not in tables.names:
        lacking = f"{tables.root} has no hashes of crops, because an earlier version built it. Build it again."
        raise _unmeasured(policy, rule, lacking)
    found = find_duplicates(faces.hashes, mirrored_bits(), faces.label, faces.fitness, among, faces.embedded)
    return {name: getattr(found, name) for name in OF_DUPLICATES}


def _label_relations(
    rule: Rule, policy: Policy, faces: FaceColumns, among: Mask, tables: FaceTables, least: int
) -> tuple[dict[str, Floats], str]:
    nothing = {name: np.full(len(faces), np.nan) for name in OF_LABELS}
    if faces.vectors is None or faces.space is None:
        lacking = f"{tables.root} has no embeddings. Add them: facesieve identify {tables.root} --identity MODEL."
        if not rule.optional:
            raise _unmeasured(policy, rule, lacking)
        return nothing, f"No face was compared with the others of its label, because {lacking}"
    alike = faces.limits.same_label if faces.limits else 0
    found = fit_labels(faces.vectors, faces.label, faces.order, among, faces.space, least, alike)
    unknown = int((among & np.isnan(found.label_distance)).sum())
    note = (
        f"{unknown} of {int(among.sum())} faces were not compared with the others of their label: they have no label or"
        f" no embedding, or fewer than {least} faces of the label could be compared, or no two of these are alike."
    )
    return {name: getattr(found, name) for name in OF_LABELS}, note if unknown else ""


def _unmeasured(policy: Policy, rule: Rule, why: str) -> PolicyError:
    return PolicyError("unmeasured", f"Policy {policy.name!r} asks for {rule.measure!r}, but {why}")


def _passing_before(policy: Policy, rule: Rule, faces: FaceColumns, before: RelationsOfAll, gap: float) -> Mask:
    """(N,) which faces pass every rule before this one. gap: see `rank_in_track`."""
    relations = {**picture_relations(faces.picture, faces.prominence), **before.of_rows(0, len(faces))}
    if policy.ranks_tracks:
        angles = faces.measures["yaw"], faces.measures["pitch"]
        relations |= track_relations(faces.track, faces.time, faces.fitness, *angles, gap)
    return passing_before(policy, rule.measure, faces.measures, relations, faces.by_hand)
