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
    # The timeout is longer than a worker lets Redis wait for a job; keepalive notices hosts that are gone.
    return Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5, socket_keepalive=True, retry=None)


@contextmanager
def short_lived_client(url: str) -> Iterator[redis.Redis]:
    """Yield a client for a few quick commands. Raises UsageError `bad_queue_url` or `no_queue`."""
    _check(url)
    client = redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5)
    try:
        yield client
    except (RedisError, OSError) as error:
        raise UsageError("no_queue", f"Redis at {without_password(url)} does not answer: {error}.") from error
    finally:
        client.close()


def without_password(url: str) -> str:
    """The URL without user and password, for messages."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _check(url: str) -> None:
    if not url.startswith(_SCHEMES):
        raise UsageError(
            "bad_queue_url",
            f"{without_password(url)!r} is not an address of Redis; write redis://HOST:6379 or rediss://HOST.",
        )
    try:
        redis.Redis.from_url(url)
    except ValueError as error:
        raise UsageError("bad_queue_url", f"The address of Redis cannot be read: {error}.") from error
