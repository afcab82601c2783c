"""Near-duplicates by the hashes of crops."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.quality import mirrored_bits
from facesieve.relate import Embedded, find_duplicates, hash_search
from facesieve.relate.hash_search import NEAR_ANYWHERE, NEAR_IN_LABEL
from facesieve.relate.nearest_hash import nearest_hash
from facesieve.relate.space import Space

NAN = np.nan


def hashes(count: int, seed: int = 0) -> np.ndarray:
    made = np.random.default_rng(seed).integers(0, 256, (count, 32), np.uint8)
    made[:, 0] &= 0x7F
    return made


def flipped(one: np.ndarray, bits: int, first: int = 100) -> np.ndarray:
    unpacked = np.unpackbits(one)
    unpacked[first : first + bits] ^= 1
    return np.packbits(unpacked)


def found(made: np.ndarray, fitness: list[float], labels: list[int] | None = None, **options: object):
    codes = np.array(labels if labels is not None else [-1] * len(made), np.intp)
    among = np.ones(len(made), bool)
    return find_duplicates(made, mirrored_bits(), codes, np.array(fitness), **{"among": among, **options})


def test_no_face_one_face_and_faces_without_a_twin() -> None:
    assert found(hashes(0), []).twin.shape == (0,)
    for count in (1, 5):
        result = found(hashes(count), [50.0] * count)
        assert result.rank_among_duplicates.tolist() == [1] * count
        assert result.twin_distance.tolist() == [1] * count
        assert result.twin.tolist() == [-1] * count


def test_the_fittest_of_a_group_is_the_first_and_the_others_name_it() -> None:
    one, *others = hashes(3)
    made = np.stack([flipped(one, 20), others[0], one, others[1], flipped(one, 30)])
    result = found(made, [40, 50, 71, 60, 64])
    assert result.rank_among_duplicates.tolist() == [3, 1, 1, 1, 2]
    assert result.twin.tolist() == [2, -1, 0, -1, 2]
    np.testing.assert_allclose(result.twin_distance, [20 / 255, 1, 20 / 255, 1, 30 / 255])


def test_mirrored_crops_are_near() -> None:
    [one] = hashes(1)
    result = found(np.stack([one, flipped(one ^ mirrored_bits(), 5)]), [50, 60])
    assert result.rank_among_duplicates.tolist() == [2, 1]
    assert result.twin_distance.tolist() == [5 / 255] * 2


@pytest.mark.parametrize(("labels", "limit"), [([3, 3], NEAR_IN_LABEL), ([3, 4], NEAR_ANYWHERE), ([-1, -1], 41)])
def test_more_bits_may_differ_within_a_label(labels: list[int], limit: int) -> None:
    [one] = hashes(1)
    for bits, ranks in ((limit, [1, 2]), (limit + 1, [1, 1])):
        made = np.stack([one, flipped(one, bits)])
        assert found(made, [60, 50], labels).rank_among_duplicates.tolist() == ranks


def test_of_equally_fit_faces_the_earlier_row_is_the_first_and_an_unmeasured_one_the_last() -> None:
    [one] = hashes(1)
    assert found(np.stack([one] * 4), [NAN, 50, 50, NAN]).rank_among_duplicates.tolist() == [3, 1, 2, 4]


def test_a_chain_is_not_one_group() -> None:
    """The third is near to the second, which is a duplicate of the first, but not to the first."""
    [one] = hashes(1)
    made = np.stack([one, flipped(one, 40), flipped(one, 80)])
    result = found(made, [90, 80, 70])
    assert result.rank_among_duplicates.tolist() == [1, 2, 1]
    assert result.twin.tolist() == [1, 0, -1]


def test_only_some_faces_are_compared_and_faces_without_a_hash_have_no_rank() -> None:
    [one] = hashes(1)
    made = np.stack([one, one, one, np.zeros(32, np.uint8)])
    result = found(made, [90, 80, 70, 60], among=np.array([False, True, True, True]))
    np.testing.assert_array_equal(result.rank_among_duplicates, [NAN, 1, 2, NAN])
    np.testing.assert_array_equal(result.twin_distance, [NAN, 0, 0, NAN])
    assert result.twin.tolist() == [-1, 2, 1, -1]


def test_embeddings_must_agree_where_they_are_given() -> None:
    [one] = hashes(1)
    vectors = np.array([[0, 0], [0, 0.1], [3, 0]], np.float32)
    result = found(np.stack([one] * 3), [90, 80, 70], embedded=embedded(vectors))
    assert result.rank_among_duplicates.tolist() == [1, 2, 1]


def embedded(vectors: np.ndarray) -> Embedded:
    return Embedded(vectors, Space(False, 0.6), limit=0.4, bits=81)


@pytest.mark.parametrize("labels", [[3, 3, 3, 3], [1, 2, 3, -1]])
def test_with_near_embeddings_more_bits_may_differ_within_and_across_labels(labels: list[int]) -> None:
    [one] = hashes(1)
    vectors = np.array([[0, 0], [0, 0.4], [0, 0.4], [0, 0.41]], np.float32)
    made = np.stack([one, flipped(one, 81), flipped(one, 82), flipped(one, 81)])
    result = found(made, [90, 80, 70, 60], labels, embedded=embedded(vectors))
    assert result.twin.tolist() == [1, 0, 3, 2], "one bit or a little distance more is too much"
    assert result.rank_among_duplicates.tolist() == [1, 2, 1, 2]


def test_a_face_without_an_embedding_is_compared_by_its_hash_alone() -> None:
    [one] = hashes(1)
    vectors = np.array([[0, 0], [NAN, NAN], [NAN, NAN]], np.float32)
    made = np.stack([one, flipped(one, NEAR_ANYWHERE), flipped(one, NEAR_ANYWHERE + 40)])
    result = found(made, [90, 80, 70], embedded=embedded(vectors))
    assert result.rank_among_duplicates.tolist() == [1, 2, 1]


def test_the_nearest_of_other_hashes_is_found_also_mirrored() -> None:
    made = hashes(5)
    ours = np.stack([flipped(made[3], 7), made[1] ^ mirrored_bits(), hashes(1, 9)[0], np.zeros(32, np.uint8)])
    distance, row = nearest_hash(ours, made, mirrored_bits())
    np.testing.assert_allclose(distance, [7 / 255, 0, 1, NAN])
    assert row.tolist() == [3, 1, -1, -1]
    assert nearest_hash(ours, made[:0], mirrored_bits())[0].tolist()[:3] == [1, 1, 1]
    assert nearest_hash(ours[:0], made, mirrored_bits())[0].shape == (0,)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_taking_faces_one_by_one_returns_whatever_the_order_of_rows(seed: int) -> None:
    random = np.random.default_rng(seed)
    base = hashes(12, seed)
    made = np.stack([flipped(base[random.integers(12)], int(random.integers(0, 35)), 90) for _ in range(80)])
    made ^= np.where(random.random(80) < 0.3, 1, 0).astype(np.uint8)[:, None] * mirrored_bits()
    labels, fitness = random.integers(-1, 3, 80), random.permutation(80).astype(float)
    result = found(made, fitness.tolist(), labels.tolist())
    bits, turned = np.unpackbits(made, axis=1), np.unpackbits(made ^ mirrored_bits(), axis=1)
    heads: list[int] = []
    for face in np.argsort(-fitness):
        near = [
            head
            for head in heads
            if min((bits[face] ^ bits[head]).sum(), (bits[face] ^ turned[head]).sum())
            <= (NEAR_IN_LABEL if labels[face] == labels[head] >= 0 else NEAR_ANYWHERE)
        ]
        assert result.rank_among_duplicates[face] == 1 if not near else result.twin[face] == near[0]
        heads += [] if near else [int(face)]
    shuffled = random.permutation(80)
    again = found(made[shuffled], fitness[shuffled].tolist(), labels[shuffled].tolist())
    np.testing.assert_array_equal(again.rank_among_duplicates, result.rank_among_duplicates[shuffled])


def test_many_copies_of_one_face_are_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_search, "EXACT", 10)
    [one] = hashes(1)
    made = np.stack([flipped(one, at % 9, 90 + at % 50) for at in range(3000)])
    result = found(made, list(range(3000)), [7] * 3000)
    assert result.rank_among_duplicates.tolist() == list(range(3000, 0, -1))
