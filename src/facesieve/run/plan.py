"""What a build still has to do, cut into shards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from facesieve.dataset.disk.names import normalized_text
from facesieve.errors import UsageError
from facesieve.records import Source

SHARDS_PER_WORKER = 3  # the next shard has this part of the share of one worker in the remaining work
SMALLEST = 2  # least cost of a shard with several workers, because a commit takes as long as measuring a face


@dataclass(frozen=True, slots=True)
class Shard:
    """Sources whose results are committed together. number: unique in the dataset."""

    number: int
    sources: tuple[Source, ...]


def unique(sources: Iterable[Source]) -> list[Source]:
    """Every source once, sorted by name.

    Raises UsageError when one picture has two labels.
    """
    found: dict[bytes, Source] = {}
    for source in sources:
        first = found.setdefault(source.key, source)
        if normalized_text(first.label) != normalized_text(source.label):
            raise UsageError(
                "two_labels",
                f"{source.name} is listed with two labels: {first.label!r} and {source.label!r}. Keep one of them.",
            )
    return sorted(found.values(), key=lambda source: (source.name, source.key))


def shards(sources: Sequence[Source], workers: int, most: int, first: int) -> list[Shard]:
    """Consecutive sources in shards that cost at most `most`, numbered from `first`.

    A source that costs more gets a shard of its own. With several workers, shards become smaller towards the end, so
    that no worker waits long for the last one (guided self-scheduling; Polychronopoulos and Kuck, IEEE Transactions on
    Computers C-36, 1987).
    """
    plan, start, left = list[Shard](), 0, sum(source.cost for source in sources)
    while start < len(sources):
        size = most if workers == 1 else min(most, max(SMALLEST, -(-left // (workers * SHARDS_PER_WORKER))))
        end, cost = start + 1, sources[start].cost
        while end < len(sources) and cost + sources[end].cost <= size:
            cost += sources[end].cost
            end += 1
        plan.append(Shard(first + len(plan), tuple(sources[start:end])))
        start, left = end, left - cost
    return plan
