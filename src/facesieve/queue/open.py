"""The connection to Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from facesieve.errors import UsageError

_SCHEMES = ("redis://", "rediss://", "unix://")


def connect(url: str) -> Redis:
    """A client for the URL; it connects when it is used. Raises UsageError `bad_queue_url`."""
    _check(url)
    # Longer than Redis is asked to wait for a job; keepalive finds hosts that are gone.
    return Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5, socket_keepalive=True, retry=None)


@contextmanager
def answering(url: str) -> Iterator[redis.Redis]:
    """A client for commands that end at once. Raises UsageError `bad_queue_url` or `no_queue`."""
    _check(url)
    client = redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5)
    try:
        yield client
    except (RedisError, OSError) as error:
        raise UsageError("no_queue", f"Redis at {shown(url)} does not answer: {error}.") from error
    finally:
        client.close()


def shown(url: str) -> str:
    """The URL without a password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _check(url: str) -> None:
    if not url.startswith(_SCHEMES):
        raise UsageError(
            "bad_queue_url", f"{shown(url)!r} is no address of Redis; write redis://HOST:6379 or rediss://HOST."
        )
    try:
        redis.Redis.from_url(url)
    except ValueError as error:
        raise UsageError("bad_queue_url", f"The address of Redis cannot be read: {error}.") from error
