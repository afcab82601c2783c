"""What a build still has to do, cut into shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from facesieve.dataset.names import plain
from facesieve.errors import UsageError
from facesieve.records import Source


@dataclass(frozen=True, slots=True)
class Shard:
    """Sources whose results are committed together, under a number that no other shard of the dataset has."""

    number: int
    sources: tuple[Source, ...]


def unique(sources: Iterable[Source]) -> list[Source]:
    """Sources by name, each name once.

    Raises UsageError when one picture is listed under two labels: whose face it is must be one answer.
    """
    named: dict[str, Source] = {}
    for source in sources:
        first = named.setdefault(plain(source.name), source)
        if first.label != source.label:
            raise UsageError(
                "two_labels", f"{source.name} is listed under two labels: {first.label!r} and {source.label!r}."
            )
    return [named[name] for name in sorted(named)]


def unfinished(sources: Iterable[Source], done: Mapping[str, tuple[str, str]]) -> list[Source]:
    """Sources that are new, or whose fingerprint or label is not the one that was done."""
    return [source for source in sources if done.get(plain(source.name)) != (source.fingerprint, plain(source.label))]


def shards(sources: Sequence[Source], size: int, first: int) -> list[Shard]:
    """Consecutive sources in shards of `size`, numbered from `first`."""
    starts = range(0, len(sources), size)
    return [Shard(first + index, tuple(sources[start : start + size])) for index, start in enumerate(starts)]
