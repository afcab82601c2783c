"""What looks wrong with labels: one function for each kind of finding, each with its evidence."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from facesieve.relate import same_person, twice_in_a_picture, two_groups
from facesieve.run.comparisons import ByEmbedding, Comparisons

Kind = Literal["wrong", "merged", "split", "alike_names", "twice_in_picture", "two_labels", "leaked"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class LabelFinding:
    """Something that looks wrong, with its evidence.

    kind: `wrong`, a face that is not like the others of its label; `merged`, a label of two people; `split`, two labels
    of one person; `alike_names`, labels that differ only in case, spaces or the form of their characters;
    `twice_in_picture`, one person twice in a picture; `two_labels`, one picture under two labels; `leaked`, a face that
    is near to a held-out one.
    labels, faces: those that it is about, faces by id. distance: between the two, or of the face from its label; None
    where none was computed. text: all of it as a sentence.
    """

    kind: Kind
    labels: tuple[str, ...]
    faces: tuple[str, ...]
    distance: float | None
    text: str


def label_findings(found: Comparisons) -> list[LabelFinding]:
    """All findings, by kind, label and face."""
    findings = [*_alike_names(found), *_shared_pictures(found), *_across_labels(found), *_leaks(found)]
    if found.by_embedding:
        for kind in (_wrong_faces, _two_people, _one_person, _twice_in_a_picture):
            findings += kind(found, found.by_embedding)
    return sorted(findings, key=lambda one: (KINDS.index(one.kind), one.labels, one.faces))


def _wrong_faces(found: Comparisons, by: ByEmbedding) -> Iterator[LabelFinding]:
    for row in np.flatnonzero(by.wrong).tolist():
        own, face, away = found.label(row), found.face_id(row), float(by.fit.label_distance[row])
        text = f"Face {face} is {away:.2f} from the other faces of {own!r}"
        if (other := int(by.fit.other[row])) >= 0:
            text += f", and {away + float(by.fit.label_margin[row]):.2f} from those of {found.faces.labels[other]!r}"
        yield LabelFinding("wrong", (own,), (face,), away, f"{text}.")


def _two_people(found: Comparisons, by: ByEmbedding) -> Iterator[LabelFinding]:
    faces, limits = found.faces, by.limits
    groups = two_groups(
        by.vectors,
        faces.label,
        faces.order,
        by.fit.centres,
        by.space,
        limit=limits.other_person,
        apart=limits.same_label,
        least=found.least,
    )
    columns = (groups.labels, groups.faces, groups.sizes, groups.distance)
    for label, rows, (many, few), away in zip(*(column.tolist() for column in columns), strict=True):
        one, other = map(found.face_id, rows)
        name = faces.labels[label]
        text = f"{name!r} has {many} faces like {one} and {few} like {other}, which are {away:.2f} apart."
        yield LabelFinding("merged", (name,), (one, other), away, text)


def _one_person(found: Comparisons, by: ByEmbedding) -> Iterator[LabelFinding]:
    pairs = same_person(by.fit.centres, by.space, by.limits.same_label)
    for label, other, away in zip(pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), strict=True):
        names = sorted((found.faces.labels[label], found.faces.labels[other]))
        text = f"The faces of {names[0]!r} and those of {names[1]!r} are {away:.2f} apart, like those of one person."
        yield LabelFinding("split", tuple(names), (), away, text)


def _alike_names(found: Comparisons) -> Iterator[LabelFinding]:
    alike = dict[str, list[str]]()
    for name in sorted(found.faces.labels):
        alike.setdefault(_plain(name), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            listed = " and ".join(map(repr, names))
            text = f"The labels {listed} differ only in case, spaces or the form of their characters."
            yield LabelFinding("alike_names", tuple(names), (), None, text)


def _plain(name: str) -> str:
    """A name without what people do not see or do not mean: case, accents in another form, and more than one space."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def _twice_in_a_picture(found: Comparisons, by: ByEmbedding) -> Iterator[LabelFinding]:
    pairs = twice_in_a_picture(by.vectors, found.faces.picture, found.kept, by.space, by.limits.same_person)
    for one, other, away in zip(pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), strict=True):
        ids, name = (found.face_id(one), found.face_id(other)), found.label(one)
        text = f"Faces {ids[0]} and {ids[1]} of one picture are {away:.2f} apart, like faces of one person."
        yield LabelFinding("twice_in_picture", (name,) if name else (), ids, away, text)


def _shared_pictures(found: Comparisons) -> Iterator[LabelFinding]:
    for picture, sources in found.shared:
        names = tuple(dict.fromkeys(label for label, _ in sources))
        listed = " and ".join(f"{source} ({label!r})" for label, source in sources)
        yield LabelFinding("two_labels", names, (), None, f"Picture {picture[:12]} is under several labels: {listed}.")


def _across_labels(found: Comparisons) -> Iterator[LabelFinding]:
    """Near-duplicates under different labels. Unless a face is the first of its group, its twin is the first."""
    label, twin = found.faces.label, found.twins.twin
    rows = np.flatnonzero((found.twins.rank_among_duplicates > 1) & (label >= 0))
    rows = rows[(label[twin[rows]] >= 0) & (label[twin[rows]] != label[rows])]
    for row, other in zip(rows.tolist(), twin[rows].tolist(), strict=True):
        ids, names = (found.face_id(row), found.face_id(other)), (found.label(row), found.label(other))
        if ids[0] != ids[1]:  # otherwise it is one picture under two labels
            away = float(found.twins.twin_distance[row])
            text = f"Face {ids[0]} of {names[0]!r} is nearly the same picture as {ids[1]} of {names[1]!r}."
            yield LabelFinding("two_labels", names, ids, away, text)


def _leaks(found: Comparisons) -> Iterator[LabelFinding]:
    for row in np.flatnonzero(found.leaked).tolist() if found.held_out else []:
        assert found.held_out
        other, away, name = found.held_out.ids[found.held_row[row]], float(found.held_distance[row]), found.label(row)
        text = f"Face {found.face_id(row)}, or its label, is {away:.2f} from face {other} of {found.held_out.root}."
        yield LabelFinding("leaked", (name,) if name else (), (found.face_id(row), other), away, text)
