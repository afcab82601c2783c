"""Jobs in a Redis stream that a group of workers reads, and their results.

Every job ends exactly once. One script writes its result and acknowledges its entry, and only if the entry is still
pending: if two workers did the same job, the second writes nothing. A worker renews the lease of the entries that it
holds. Entries of a worker that died are claimed when their lease is over, one at a time, so that a job that kills
workers does not delay other jobs. Redis counts how often an entry was taken; a job that was taken too often is moved to
a stream of dead jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from facesieve.queue.finish import finish_script
from facesieve.queue.jobs import FIELD

RETURNED = "returned"  # the consumer that holds entries which a stopping worker did not begin

_FINISH = finish_script(
    "redis.call('XACK', KEYS[1], ARGV[4], ARGV[3])",
    "redis.call('XDEL', KEYS[1], ARGV[3])",
)

# KEYS: jobs. ARGV: group, this worker, entries. Returns the entries that are not this worker's any more.
_RENEW = """
local lost = {}
for i = 3, #ARGV do
  local held = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
  if #held == 1 and held[1][2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
"""

# KEYS: jobs. ARGV: group, this worker, the consumer of returned entries, milliseconds of a lease, entries.
# Entries that are not this worker's any more stay as they are, so that a repeated call changes nothing.
_RETURN = """
for i = 5, #ARGV do
  local held = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
  if #held == 1 and held[1][2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[i], 'IDLE', ARGV[4], 'RETRYCOUNT', held[1][4] - 1, 'JUSTID')
  end
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the stream.

    taken: how often workers took it, this time included. claimed: it was taken over from another worker. Such an entry
    counts as taken once more only when its job begins, so that a worker that dies does not count for waiting jobs.
    """

    id: str
    job: bytes
    taken: int = 1
    claimed: bool = False

    def is_spent(self, executions: int) -> bool:
        """Whether its job has begun so many times, and must not begin again."""
        return self.taken >= executions if self.claimed else self.taken > executions

    def as_dead(self, reason: str) -> list[str | bytes | int]:
        """The names and values of its entry in the stream of dead jobs."""
        return ["job", self.job, "entry", self.id, "reason", reason, "taken", self.taken]


@dataclass(frozen=True, slots=True)
class Names:
    """Keys in Redis. results: a stream, or, if it contains `{id}`, a key for the result of each job."""

    stream: str
    group: str
    results: str
    dead: str

    @property
    def key_for_each(self) -> bool:
        return "{id}" in self.results

    def result_of(self, id: str) -> tuple[str, str]:
        """Where the result of a job goes: `key` or `stream`, and the key."""
        return ("key", self.results.replace("{id}", id)) if self.key_for_each else ("stream", self.results)


class Entries:
    """The entries that one worker takes from the stream.

    lease: seconds after which an entry may be claimed if its worker does not renew it. expiry: seconds after which a
    result with a key of its own is deleted.
    Every method raises RedisError if Redis does not answer.
    """

    def __init__(self, redis: Redis, names: Names, worker: str, lease: float, expiry: int) -> None:
        self._redis, self._names, self._worker = redis, names, worker
        self._lease, self._expiry = int(lease * 1000), expiry
        self._finish = redis.register_script(_FINISH)
        self._renew = redis.register_script(_RENEW)
        self._return = redis.register_script(_RETURN)

    async def prepare(self) -> None:
        """Create the stream and the group if they do not exist."""
        try:
            await self._redis.xgroup_create(self._names.stream, self._names.group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def read(self, count: int, seconds: float) -> list[Entry]:
        """At most `count` new entries; none if no entry arrives within `seconds`."""
        found = await self._redis.xreadgroup(
            self._names.group, self._worker, {self._names.stream: ">"}, count=count, block=int(seconds * 1000)
        )
        listed = found.values() if isinstance(found, Mapping) else [entries for _, entries in found or ()]
        return [_entry(one) for entries in listed for one in _flat(entries)]

    async def claim(self) -> Entry | None:
        """One entry whose lease is over, or None. Redis also drops entries that were deleted meanwhile."""
        names = self._names
        found = await self._redis.xautoclaim(
            names.stream, names.group, self._worker, self._lease, "0-0", count=1, justid=True
        )
        for id in found:
            for one in await self._redis.xrange(names.stream, id, id) or ():
                entry = _entry(one)
                return Entry(entry.id, entry.job, await self._taken(entry.id), claimed=True)
        return None

    async def take_again(self, entry: Entry) -> Entry:
        """The same entry, counted as taken once more. A repeated call with the same entry counts nothing more."""
        names, taken = self._names, entry.taken + 1
        await self._redis.xclaim(names.stream, names.group, self._worker, 0, [entry.id], retrycount=taken)
        return Entry(entry.id, entry.job, await self._taken(entry.id))

    async def renew(self, ids: Sequence[str]) -> set[str]:
        """Begin a new lease of these entries. Returns the ids of entries that no longer belong to this worker."""
        if not ids:
            return set()
        lost = await self._renew(keys=[self._names.stream], args=[self._names.group, self._worker, *ids])
        return {_text(one) for one in lost}

    async def give_back(self, ids: Sequence[str]) -> None:
        """Let any worker claim these entries at once; they do not count as taken."""
        if ids:
            arguments: list[str | int] = [self._names.group, self._worker, RETURNED, self._lease * 2, *ids]
            await self._return(keys=[self._names.stream], args=arguments)

    async def finish(self, entry: Entry, id: str, result: bytes) -> bool:
        """Write the result and acknowledge the entry, both or neither. Returns False if the entry had ended already."""
        return await self._end(entry, *self._names.result_of(id), ["id", id, "result", result])

    async def bury(self, entry: Entry, reason: str) -> bool:
        """Move an entry to the stream of dead jobs. Returns False if the entry had ended already."""
        return await self._end(entry, "stream", self._names.dead, entry.as_dead(reason))

    async def lengths(self) -> tuple[int, int]:
        """The number of entries that have not ended, and of results in the stream of results."""
        names = self._names
        jobs = await self._redis.xlen(names.stream)
        return jobs, 0 if names.key_for_each else await self._redis.xlen(names.results)

    async def leave(self) -> None:
        """Remove this worker from the group, unless it still holds an entry."""
        held = await self._redis.xpending_range(
            self._names.stream, self._names.group, "-", "+", 1, consumername=self._worker
        )
        if not held:
            await self._redis.xgroup_delconsumer(self._names.stream, self._names.group, self._worker)

    async def _end(self, entry: Entry, kind: str, key: str, fields: Sequence[str | bytes | int]) -> bool:
        arguments = [kind, self._expiry, entry.id, self._names.group, *fields]
        return bool(await self._finish(keys=[self._names.stream, key], args=arguments))

    async def _taken(self, id: str) -> int:
        held = await self._redis.xpending_range(self._names.stream, self._names.group, id, id, 1)
        return int(held[0]["times_delivered"]) if held else 1


def _flat(entries: Any) -> list[Any]:
    """Entries of one stream; clients of protocol 3 put them into one more list."""
    return entries[0] if entries and isinstance(entries[0], list) else entries


def _entry(one: Any) -> Entry:
    id, fields = one
    return Entry(_text(id), (fields or {}).get(FIELD, b""))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
