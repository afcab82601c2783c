"""What is in a queue: jobs, workers, results, dead jobs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from facesieve.queue.entries import RETURNED, Names

_PAGE = 8  # dead jobs that are read at a time; each may hold a whole picture

# KEYS: dead jobs, jobs. ARGV: the dead entry. The job is submitted once, however often this is asked.
_RETRY = """
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then return 0 end
local job, fields = '', found[1][2]
for i = 1, #fields, 2 do
  if fields[i] == 'job' then job = fields[i + 1] end
end
redis.call('XADD', KEYS[2], '*', 'job', job)
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
"""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker of the group. held: jobs that it has taken and not finished. idle: seconds since it asked for jobs."""

    name: str
    held: int
    idle: float


@dataclass(frozen=True, slots=True)
class QueueState:
    """The counts of a queue.

    jobs: jobs that have not ended, including those that workers hold. oldest: seconds since the oldest was submitted.
    held: jobs that workers hold. returned: jobs that workers returned when they stopped. dead: dead jobs by reason.
    """

    jobs: int
    oldest: float
    held: int
    returned: int
    workers: tuple[WorkerState, ...]
    results: int
    dead: dict[str, int]


def state_of(redis: Any, names: Names) -> QueueState:
    """Read the state of a queue. redis: a client that returns bytes. Raises RedisError if Redis does not answer."""
    now, part = redis.time()
    first = redis.xrange(names.stream, count=1)
    oldest = now + part / 1e6 - int(first[0][0].split(b"-")[0]) / 1000 if first else 0.0
    try:
        consumers: list[dict[str, Any]] = redis.xinfo_consumers(names.stream, names.group)
    except ResponseError:  # there is no stream or no group yet
        consumers = []
    workers = tuple(
        WorkerState(one["name"].decode(), int(one["pending"]), one["idle"] / 1000)
        for one in consumers
        if one["name"].decode() != RETURNED
    )
    returned = sum(int(one["pending"]) for one in consumers if one["name"].decode() == RETURNED)
    dead = Counter(fields.get(b"reason", b"").decode("utf-8", "replace") for _, fields in _dead(redis, names))
    results = 0 if names.key_for_each else redis.xlen(names.results)
    held = sum(worker.held for worker in workers)
    return QueueState(
        redis.xlen(names.stream), max(0.0, oldest), held, returned, workers, results, dict(sorted(dead.items()))
    )


def retry_dead(redis: Any, names: Names) -> int:
    """Submit all dead jobs again. Returns how many there were."""
    script = redis.register_script(_RETRY)
    ids = [id for id, _ in _dead(redis, names)]  # all at first: those that die again are not retried without end
    return sum(int(script(keys=[names.dead, names.stream], args=[id])) for id in ids)


def _dead(redis: Any, names: Names) -> Any:
    start = "-"
    while page := redis.xrange(names.dead, min=start, count=_PAGE):
        yield from page
        start = "(" + page[-1][0].decode()
