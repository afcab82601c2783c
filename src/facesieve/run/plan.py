"""What a build still has to do, cut into shards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facesieve.dataset.disk.names import normalized_text
from facesieve.errors import UsageError
from facesieve.processes.cores import cores

if TYPE_CHECKING:  # what tells how many workers there will be is light, for it is asked before all else
    from facesieve.records import Source
    from facesieve.settings import Settings

# What the fork server imports. The first keeps the others from starting threads, which a fork would lose.
PRELOAD = ("facesieve.__main__", "facesieve.pipeline", "facesieve.run.pool")
WORTH_A_WORKER = 8  # pictures; for fewer, starting a process costs more than it saves
SHARES = 3  # a shard is this part of a worker's share of what is left
LEAST = 2  # pictures of a shared shard: committing one costs as much as measuring a face


@dataclass(frozen=True, slots=True)
class Shard:
    """Sources whose results are committed together, under a number that no other shard of the dataset has."""

    number: int
    sources: tuple[Source, ...]


def unique(sources: Iterable[Source]) -> list[Source]:
    """Every source once, by name.

    Raises UsageError when one picture comes under two labels: whose face it is must be one answer.
    """
    found: dict[bytes, Source] = {}
    for source in sources:
        first = found.setdefault(source.key, source)
        if normalized_text(first.label) != normalized_text(source.label):
            raise UsageError(
                "two_labels",
                f"{source.name} comes under two labels: {first.label!r} and {source.label!r}. Keep one of them.",
            )
    return sorted(found.values(), key=lambda source: (source.name, source.key))


def workers(settings: Settings, pictures: int) -> int:
    """How many processes to work with."""
    wanted = cores() if settings.workers == "auto" else settings.workers
    return max(1, min(wanted, -(-pictures // WORTH_A_WORKER)))


def shards(sources: Sequence[Source], workers: int, most: int, first: int) -> list[Shard]:
    """Consecutive sources in shards that cost at most `most`, numbered from `first`.

    A source that costs more is alone in its shard. Where workers share them, shards become smaller towards the end,
    so that no worker waits long for the last one (guided self-scheduling; Polychronopoulos and Kuck, IEEE Transactions
    on Computers C-36, 1987).
    """
    plan, place, left = list[Shard](), 0, sum(source.cost for source in sources)
    while place < len(sources):
        size = most if workers == 1 else min(most, max(LEAST, -(-left // (workers * SHARES))))
        end, cost = place + 1, sources[place].cost
        while end < len(sources) and cost + sources[end].cost <= size:
            cost += sources[end].cost
            end += 1
        plan.append(Shard(first + len(plan), tuple(sources[place:end])))
        place, left = end, left - cost
    return plan
