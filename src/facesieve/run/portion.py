"""A portion of the sources of a build, such as the 3rd of 64 (`--shard 3/64`), so that many machines share the work."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from facesieve.dataset.disk.names import normalized_text
from facesieve.errors import UsageError
from facesieve.records import Source, displayed

_WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Portion:
    """Some of the sources of a build. number: which portion, from 1. count: how many portions there are."""

    number: int = 1
    count: int = 1

    def of(self, sources: Iterable[Source]) -> list[Source]:
        """The sources in this portion, in their order.

        A hash of the name decides. So the portion of a source is the same on every machine, in every order of the
        sources, and after sources were added or removed. The name is that of the manifests, because working folders
        and mount points may differ between machines.
        """
        if self.count == 1:
            return list(sources)
        return [source for source in sources if _hash(source.name) % self.count == self.number - 1]


EVERYTHING = Portion()


def parsed_shard(text: str) -> tuple[int, int]:
    """The pair of numbers in `3/64`, as the command line has it. Raises UsageError if the text is not of this form."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise _wrong(text)
    return int(found[1]), int(found[2])


def checked_portion(shard: Any) -> Portion:
    """A portion from a pair such as `(3, 64)`; None means all sources. Raises UsageError for anything else."""
    if shard is None:
        return EVERYTHING
    if not isinstance(shard, tuple | list) or len(shard) != 2 or any(type(value) is not int for value in shard):
        raise _wrong(shard)
    number, count = shard
    if not 1 <= number <= count:
        raise _wrong(f"{number}/{count}")
    return Portion(number, count)


def _wrong(shard: object) -> UsageError:
    return UsageError(
        "bad_shard", f"{shard!r} is not a shard; write K/N with K from 1 to N, such as 3/64 for the third of 64."
    )


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(normalized_text(displayed(name)).encode(), digest_size=8).digest())
