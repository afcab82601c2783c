"""Best first, and equal scores as numpy 1.25 and 1.26 order them on AVX-512, where the golden answers were made."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.detect.ties import avx512_order, best_first


@pytest.mark.parametrize("size", [0, 1, 2, 8, 9, 64, 65, 256, 257, 1000, 20_000])
def test_every_index_comes_once_by_falling_score(size: int) -> None:
    scores = np.random.default_rng(size).integers(0, 50, size).astype(float)
    order = best_first(scores)
    assert sorted(order) == list(range(size))
    assert scores[order].tolist() == sorted(scores, reverse=True)


def test_scores_that_all_differ_need_no_rule() -> None:
    scores = np.random.default_rng(3).permutation(500) / 500
    assert best_first(scores).tolist() == np.argsort(-scores).tolist()


@pytest.mark.parametrize(
    ("keys", "last"),
    [
        (np.arange(20) * 7 % 5, [11, 6, 16, 1, 14, 19, 4, 9, 12, 7, 2, 17]),
        (np.arange(100) ** 2 % 7, [23, 72, 68, 86, 82, 75, 79, 12, 89, 16, 2]),
        (np.arange(129) ** 2 % 7, [68, 72, 44, 19, 23, 107, 110, 5, 58, 61, 51, 121]),
        (np.arange(400) ** 2 % 101, [20, 121, 323, 81, 91, 313, 394, 111, 10, 293, 192, 212]),
    ],
    ids=["network", "vectors", "vectors and one more", "chunks of vectors"],
)
def test_equal_scores_have_the_order_that_numpy_s_own_source_gives(keys: np.ndarray, last: list[int]) -> None:
    """Recorded from numpy 1.26.4's source, compiled with scalars in place of the vector registers."""
    assert avx512_order(keys.astype(float))[-len(last) :].tolist() == last
    assert best_first(keys.astype(float))[: len(last)].tolist() == last[::-1]


@pytest.mark.parametrize("rare", [0.25, 1.0])
def test_hardly_different_scores_are_still_sorted(rare: float) -> None:
    scores = np.where(np.arange(5000) % 997 == 0, rare, 0.5)
    assert scores[best_first(scores)].tolist() == sorted(scores, reverse=True)
