"""Labels of two people, people with two labels, and people twice in a picture."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.relate import near_pairs as near_module
from facesieve.relate.centres import find_centres
from facesieve.relate.held_out import OwnLabels, held_out_by_embedding
from facesieve.relate.near_pairs import near_pairs
from facesieve.relate.people import same_person, twice_in_a_picture, two_groups
from facesieve.relate.space import Space
from vectors import people

EUCLID = Space(False, 0.6)


def groups(vectors: np.ndarray, labels: np.ndarray):
    order = np.arange(len(labels))
    centres = find_centres(vectors, labels, order, labels >= 0, EUCLID)
    return two_groups(vectors, labels, order, centres, EUCLID, 0.55, 0.45), centres


def test_a_label_of_two_people_is_found_with_a_face_of_each() -> None:
    vectors, owner = people([10, 7, 12, 4])
    labels = np.array([0, 0, 2, 3])[owner]
    found, _ = groups(vectors, labels)
    assert found.labels.tolist() == [0]
    assert found.sizes.tolist() == [[10, 7]]
    assert owner[found.faces].tolist() == [[0, 1]]
    assert 0.6 < found.distance[0] < 1


def test_strangers_in_a_label_are_no_second_person() -> None:
    vectors, owner = people([10, *[1] * 8])
    assert groups(vectors, np.zeros(len(owner), np.intp))[0].labels.tolist() == []
    assert groups(vectors[:0], owner[:0])[0].sizes.shape == (0, 2)


def test_two_labels_of_one_person_are_found_once() -> None:
    vectors, owner = people([12, 9, 9])
    labels = owner.copy()
    labels[6:12] = 7
    _, centres = groups(vectors, labels)
    found = same_person(centres, EUCLID, 0.45)
    assert (found.first.tolist(), found.second.tolist()) == ([0], [7])
    assert 0 < found.distance[0] < 0.3
    assert same_person(groups(vectors[:0], labels[:0])[1], EUCLID, 0.45).first.tolist() == []


def test_one_person_twice_in_a_picture_is_found_and_in_two_pictures_not() -> None:
    vectors, owner = people([2, 3, 1])
    picture = np.array([0, 1, 1, 1, 2, 1])
    rows = np.argsort(picture, kind="stable")
    vectors, owner, picture = vectors[rows], owner[rows], picture[rows]
    found = twice_in_a_picture(vectors, picture, np.ones(6, bool), EUCLID, 0.45)
    assert [owner[at].tolist() for at in (found.first, found.second)] == [[1], [1]]
    assert picture[found.first].tolist() == picture[found.second].tolist() == [1]
    assert twice_in_a_picture(vectors, picture, owner != 1, EUCLID, 0.45).first.tolist() == []


def test_other_pictures_of_held_out_people_are_near_the_centre_of_their_label() -> None:
    vectors, owner = people([9, 4, 1], spread=0.03)
    held, rest = np.array([0, 1, 2, 3, 4, 9, 10, 13]), np.array([5, 6, 7, 8, 11, 12])
    labels, order = owner[held], np.arange(8)[::-1]
    distance, row = held_out_by_embedding(vectors[rest], vectors[held], labels, order, EUCLID)
    faces, _ = held_out_by_embedding(vectors[rest], vectors[held], np.full(8, -1), order, EUCLID)
    assert (distance[:4] < faces[:4] - 0.03).all() and set(owner[held[row[:4]]]) == {0}
    np.testing.assert_array_equal(distance[4:], faces[4:])  # two faces have no centre
    none = held_out_by_embedding(vectors[rest], vectors[:0], labels[:0], order[:0], EUCLID)
    assert np.isnan(none[0]).all() and set(none[1]) == {-1}


def test_a_face_is_as_near_to_held_out_faces_as_the_centre_of_its_label_but_not_one_of_another_person() -> None:
    vectors, _ = people([9, 4, 1], spread=0.03)
    held, rest = np.array([0, 9]), np.array([*range(1, 9), 13])
    labels = np.full(9, 5)  # the last one is of somebody else
    searched = (vectors[rest], vectors[held], np.array([0, 1]), np.arange(2), EUCLID, 3)
    alone, _ = held_out_by_embedding(*searched)
    distance, row = held_out_by_embedding(*searched, OwnLabels(labels, np.arange(9), 0.55))
    assert len(set(distance[:8])) == 1 and distance[0] < alone[:8].min() and set(row[:8]) == {0}
    assert distance[8] == alone[8] > 0.55
    unlabelled, _ = held_out_by_embedding(*searched, OwnLabels(np.full(9, -1), np.arange(9), 0.55))
    np.testing.assert_array_equal(unlabelled, alone)


@pytest.mark.parametrize("space", [EUCLID, Space(True, 0.6)])
def test_near_pairs_are_exact_in_one_cell_and_nearly_all_in_many(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = people([3] * 100, spread=0.01)
    vectors[5] = np.nan
    limit = 0.25 if not space.cosine else 0.01
    rows, columns = np.triu_indices(len(vectors), 1)
    away = space.apart(space.points(vectors[rows]), space.points(vectors[columns]))
    right = set(zip(rows[away <= limit].tolist(), columns[away <= limit].tolist(), strict=True))

    def found() -> set[tuple[int, int]]:
        listed = [(a, b) for one, two in near_pairs(vectors, space, limit) for a, b in zip(one, two, strict=True)]
        return {(int(a), int(b)) for a, b in listed}

    assert len(right) > 200
    assert found() == right
    monkeypatch.setattr(near_module, "AT_ONCE", 7)
    assert found() == right
    monkeypatch.setattr(near_module, "EXACT", 50)
    monkeypatch.setattr(near_module, "IN_CELL", 40)
    assert found() <= right
    assert len(found()) > 0.9 * len(right)
