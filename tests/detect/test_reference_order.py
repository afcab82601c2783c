"""mtcnn 0.1.1 orders its candidates by `numpy.argsort`, which is not stable, and P-Net's scores often tie. The golden
answers come from a machine where that is numpy 1.25's and 1.26's vector sort for AVX-512: with ties in its order, the
cascade gives all of them to the pixel. The sort is modelled here from its published description: Bramas, "A Novel
Hybrid Quicksort Algorithm Vectorized using AVX-512 on Intel Skylake" (2017), and Batcher's bitonic network (1968)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_mtcnn import corners, photo

from facesieve.detect import Mtcnn, load_detector
from facesieve.detect.boxes import Indices
from facesieve.detect.networks import Networks
from facesieve.models.store import Store
from facesieve.records import Floats
from facesieve.settings import Settings

LANES = 8  # indices in a vector


def vector_order(keys: Floats) -> Indices:
    """`numpy.argsort(keys)` of float64 without NaN, as numpy 1.25 and 1.26 order ties on AVX-512."""
    order = np.arange(len(keys))
    quicksort(keys, order, tries=2 * (len(keys).bit_length() - 1))
    return order


def quicksort(keys: Floats, order: Indices, tries: int) -> None:
    """Sort a span of indices in place. The pivot is the upper median of 8 evenly spaced keys."""
    if len(order) <= 64:
        order[:] = network(keys, order)
        return
    assert tries, "numpy would leave these few values to another sort"
    own = keys[order]
    pivot = np.sort(own[(len(order) - 1) // LANES * np.arange(1, LANES + 1)])[LANES // 2]
    middle = partition(keys, order, pivot)
    if pivot != own.min():
        quicksort(keys, order[:middle], tries - 1)
    if pivot != own.max():
        quicksort(keys, order[middle:], tries - 1)


def network(keys: Floats, order: Indices) -> Indices:
    """Bitonic sort, padded with infinity to a power of two: only what is greater changes places."""
    size = max(LANES, 1 << (len(order) - 1).bit_length())
    own = np.append(keys[order], np.full(size - len(order), np.inf))
    places = np.arange(size)
    for stage in range(1, size.bit_length()):
        for flip in [2**stage - 1, *(2**step for step in reversed(range(stage - 1)))]:
            low = np.flatnonzero(np.arange(size) < np.arange(size) ^ flip)
            low = low[own[places[low]] > own[places[low ^ flip]]]
            places[low], places[low ^ flip] = places[low ^ flip], places[low]
    return order[places[: len(order)]]


def partition(keys: Floats, order: Indices, pivot: float) -> int:
    """Lower keys to the left, others to the right, in place; how many are lower.

    First one by one until whole chunks are left, then by vectors, each written to both ends of the gap between what is
    done. The first and the last chunk are set aside to open the gap; next comes the side with less room before it.
    """
    chunk = LANES * (4 if len(order) > 256 else 1)
    left, right = 0, len(order)
    for _ in range(len(order) % chunk):
        if keys[order[left]] < pivot:
            left += 1
        else:
            right -= 1
            order[[left, right]] = order[[right, left]]
    lows, highs = left, right  # where the gap begins and ends
    left, right = left + chunk, right - chunk
    aside = np.concatenate([order[left - chunk : left], order[right : right + chunk]])

    def write(vectors: Indices) -> None:
        nonlocal lows, highs
        for vector in vectors.reshape(-1, LANES):
            lower = keys[vector] < pivot
            order[lows : lows + lower.sum()] = vector[lower]
            order[highs - (~lower).sum() : highs] = vector[~lower]
            lows, highs = lows + lower.sum(), highs - (~lower).sum()

    while left < right:
        if highs - right < left - lows:
            right -= chunk
            write(order[right : right + chunk].copy())
        else:
            left += chunk
            write(order[left - chunk : left].copy())
    write(aside)
    return lows


class AsReference:
    """Networks whose suppression takes the last of that order first, as mtcnn 0.1.1 does."""

    def __init__(self, networks: Networks) -> None:
        self.propose, self.crop = networks.propose, networks.crop
        self.refine, self.locate = networks.refine, networks.locate
        self._suppress = networks.suppress

    def suppress(self, boxes: Floats, scores: Floats, threshold: float, *, minimum: bool = False) -> Indices:
        order = vector_order(scores)[::-1]
        return order[self._suppress(boxes[order], scores[order], threshold, minimum=minimum)]


@pytest.mark.parametrize("size", [0, 1, 2, 8, 9, 64, 65, 256, 257, 1000])
def test_the_modelled_sort_sorts(size: int) -> None:
    keys = np.random.default_rng(size).integers(0, 50, size).astype(float)
    order = vector_order(keys)
    assert sorted(order) == list(range(size))
    assert keys[order].tolist() == sorted(keys)


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
def test_the_modelled_sort_has_the_order_that_numpy_s_own_source_gives(keys: np.ndarray, last: list[int]) -> None:
    """Recorded from numpy 1.26.4's source, compiled with scalars in place of the vector registers."""
    assert vector_order(keys.astype(float))[-len(last) :].tolist() == last


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_with_the_reference_s_order_of_ties_every_golden_answer_is_equal_to_the_pixel(
    engine: str, shared: Path
) -> None:
    if engine == "native":
        pytest.importorskip("facesieve._native", reason="the extension was not built")
    settings = Settings.load(engine=engine)
    networks = load_detector(settings, Store(settings))._networks
    detect = Mtcnn(AsReference(networks), settings.min_face_size, settings.scale_factor, settings.steps_threshold)
    golden = json.loads((shared / "seed/golden/mtcnn-0.1.1-wider_val_dev.json").read_text())
    assert sum(map(len, golden.values())) == 1139
    for name, answers in golden.items():
        faces = detect([photo(shared / "data/wider_val_dev/images" / name)])
        assert corners(faces).tolist() == [face["box"] for face in answers], name
        assert np.trunc(faces.landmarks).tolist() == [face["points"] for face in answers], name
        assert faces.confidence.tolist() == pytest.approx([face["confidence"] for face in answers], abs=1e-5), name
