"""Shards: every picture once, in order, and nobody waits long for the last one."""

from __future__ import annotations

import pytest

from facesieve.records import Source
from facesieve.run.plan import shards


def sizes(pictures: int, workers: int, most: int = 64) -> list[int]:
    return [len(shard.sources) for shard in shards([Source(f"{n}") for n in range(pictures)], workers, most, 0)]


@pytest.mark.parametrize(("pictures", "workers"), [(0, 1), (0, 2), (1, 2), (191, 1), (191, 2), (1000, 7)])
def test_every_picture_is_in_one_shard_in_order_and_numbers_follow_the_first(pictures: int, workers: int) -> None:
    sources = [Source(f"{n}") for n in range(pictures)]
    plan = shards(sources, workers, 64, 5)
    assert [source for shard in plan for source in shard.sources] == sources
    assert [shard.number for shard in plan] == list(range(5, 5 + len(plan)))


def test_one_worker_has_whole_shards() -> None:
    assert sizes(130, 1) == [64, 64, 2]


def test_shared_shards_become_smaller_towards_the_end() -> None:
    shared = sizes(191, 2)
    assert shared == sorted(shared, reverse=True)
    assert shared[0] == 32 and shared[-1] <= 2
    assert len(shared) == 20


def test_no_shard_is_larger_than_asked_for_however_many_pictures_there_are() -> None:
    assert sizes(100_000, 2)[:-20].count(64) > 1500
    assert sizes(10, 2, most=1) == [1] * 10


def test_a_clip_is_alone_in_its_shard_and_stills_around_it_keep_their_order() -> None:
    sources = [Source("0"), Source("1"), Source("clip", cost=500), Source("2"), Source("3")]
    plan = shards(sources, 1, 64, 0)
    assert [[source.name for source in shard.sources] for shard in plan] == [["0", "1"], ["clip"], ["2", "3"]]
