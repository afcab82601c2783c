"""A plain Redis list as the queue, like the reference, but no item is lost when a worker dies.

An item moves from the list to a list of its worker, and the script that writes its result removes it there. Each
worker renews a key that expires. If the key of a worker has expired, others take over its items, one at a time.
How often an item failed is counted for all identical items together, until one of them ends.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any

from redis.asyncio import Redis

from facesieve.queue.entries import Entry, Names
from facesieve.queue.finish import finish_script
from facesieve.queue.jobs import BadJob, Job
from facesieve.service.answers import AnswerOptions
from facesieve.sieve import Policy

_ITEM = re.compile(r"(.*?)@((?:https?|s3|gs|az)://.+)", re.DOTALL)

# Its third key: how often items failed.
_FINISH = finish_script(
    "redis.call('LREM', KEYS[1], 1, ARGV[3])",
    "redis.call('HDEL', KEYS[3], ARGV[3])",
)

# KEYS: key of a live worker, its list, list of this worker, counts, workers, items counted for the other worker.
# ARGV: the other worker. Returns an item and its count. A worker that died counts once for all identical items.
_CLAIM = """
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local item = redis.call('LMOVE', KEYS[2], KEYS[3], 'LEFT', 'RIGHT')
if not item then
  redis.call('SREM', KEYS[5], ARGV[1])
  redis.call('DEL', KEYS[6])
  return false
end
if redis.call('SADD', KEYS[6], item) == 1 then redis.call('HINCRBY', KEYS[4], item, 1) end
return {item, redis.call('HGET', KEYS[4], item) or '0'}
"""

# KEYS: counts, a mark of this call. ARGV: item, milliseconds that the mark stays. A repeated call counts nothing more.
_COUNT = """
if redis.call('SET', KEYS[2], 1, 'NX', 'PX', ARGV[2]) then return redis.call('HINCRBY', KEYS[1], ARGV[1], 1) end
return tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
"""

# KEYS: list of the worker, the queue. ARGV: items. They become the first of the queue again.
_RETURN = """
for i = #ARGV, 1, -1 do
  if redis.call('LREM', KEYS[1], 1, ARGV[i]) == 1 then
    redis.call('LPUSH', KEYS[2], ARGV[i])
  end
end
return 1
"""


def job_of_item(item: bytes, default: Policy) -> Job:
    """The job of an item `name@url`; it is answered in the reference's field names. Raises BadJob `bad_job`."""
    found = _ITEM.fullmatch(item.decode("utf-8", "replace").strip())
    if not found:
        raise BadJob("bad_job", "The item is not of the form name@url.")
    return Job(found[1], "url", found[2], AnswerOptions("reference", default))


class ListEntries:
    """The items that one worker takes from a list; the same methods as `Entries`.

    names.stream: the list. lease: seconds after which the key of a worker expires, unless it is renewed.
    """

    def __init__(self, redis: Redis, names: Names, worker: str, lease: float, expiry: int) -> None:
        self._redis: Any = redis  # its types include text replies
        self._names, self._worker = names, worker
        self._lease, self._expiry = int(lease * 1000), expiry
        self._items: dict[str, bytes] = {}
        self._numbers = count(1)
        self._moving = asyncio.Lock()  # while an item is in our list, but not yet among `_items`
        self._finish = redis.register_script(_FINISH)
        self._claim = redis.register_script(_CLAIM)
        self._count = redis.register_script(_COUNT)
        self._return = redis.register_script(_RETURN)

    async def prepare(self) -> None:
        await self._redis.set(self._alive(self._worker), 1, px=self._lease)
        await self._redis.sadd(self._workers, self._worker)

    async def read(self, count: int, seconds: float) -> list[Entry]:
        """At most so many items, waiting so many seconds for the first."""
        async with self._moving:
            items = await self._not_known()
            item = None if items else await self._redis.blmove(self._names.stream, self._own, seconds, "LEFT", "RIGHT")
            while item is not None:
                items.append(item)
                if len(items) == count:
                    break
                item = await self._redis.lmove(self._names.stream, self._own, "LEFT", "RIGHT")
            items = items[:count]
            failures = await self._redis.hmget(self._counts, items) if items else []
            return [self._entry(item, int(failed or 0)) for item, failed in zip(items, failures, strict=True)]

    async def claim(self) -> Entry | None:
        """One item of a worker whose key has expired, or None."""
        for worker in sorted(await self._redis.smembers(self._workers)):
            name = worker.decode()
            if name == self._worker:
                continue
            counted = f"{self._counts}:{name}"
            keys = [self._alive(name), self._list(name), self._own, self._counts, self._workers, counted]
            async with self._moving:
                if found := await self._claim(keys=keys, args=[name]):
                    return self._entry(found[0], int(found[1]))
        return None

    async def take_again(self, entry: Entry) -> Entry:
        mark = f"{self._counts}:{entry.id}:{entry.taken}"
        failures = await self._count(keys=[self._counts, mark], args=[entry.job, self._lease])
        return Entry(entry.id, entry.job, 1 + int(failures))

    async def renew(self, ids: Sequence[str]) -> set[str]:
        """Renew the key of this worker. Returns an empty set: only `finish` notices an item that was taken over."""
        await self.prepare()
        return set()

    async def give_back(self, ids: Sequence[str]) -> None:
        if items := [self._items[id] for id in ids if id in self._items]:
            await self._return(keys=[self._own, self._names.stream], args=items)

    async def finish(self, entry: Entry, id: str, result: bytes) -> bool:
        return await self._end(entry, *self._names.result_of(id), ["id", id, "result", result])

    async def bury(self, entry: Entry, reason: str) -> bool:
        return await self._end(entry, "stream", self._names.dead, entry.as_dead(reason))

    async def lengths(self) -> tuple[int, int]:
        """The number of items that have not ended, with those that workers hold, and of results in their stream."""
        names = self._names
        workers = [name.decode() for name in await self._redis.smembers(self._workers)]
        lists = [names.stream, *map(self._list, workers)]
        held = [await self._redis.llen(name) for name in lists]
        return sum(held), 0 if names.key_for_each else await self._redis.xlen(names.results)

    async def leave(self) -> None:
        if not await self._redis.llen(self._own):
            await self._redis.srem(self._workers, self._worker)
            await self._redis.delete(self._alive(self._worker))

    async def _end(self, entry: Entry, kind: str, key: str, fields: list[str | bytes | int]) -> bool:
        arguments: list[str | bytes | int] = [kind, self._expiry, entry.job, "", *fields]
        done = bool(await self._finish(keys=[self._own, key, self._counts], args=arguments))
        self._items.pop(entry.id, None)
        return done

    async def _not_known(self) -> list[bytes]:
        """Items that Redis moved to our list, but whose answer was lost with the connection."""
        known = Counter(self._items.values())  # first: one that is finished meanwhile must not look lost
        held = Counter(await self._redis.lrange(self._own, 0, -1))
        return list((held - known).elements())

    def _entry(self, item: bytes, failures: int) -> Entry:
        id = f"{self._worker}-{next(self._numbers)}"
        self._items[id] = item
        return Entry(id, item, 1 + failures)

    def _list(self, worker: str) -> str:
        return f"{self._names.stream}:processing:{worker}"

    def _alive(self, worker: str) -> str:
        return f"{self._names.stream}:alive:{worker}"

    @property
    def _own(self) -> str:
        return self._list(self._worker)

    @property
    def _counts(self) -> str:
        return f"{self._names.stream}:failed"

    @property
    def _workers(self) -> str:
        return f"{self._names.stream}:workers"
