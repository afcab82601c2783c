"""The connection to Redis."""

from __future__ import annotations

from redis.asyncio import Redis

from facesieve.errors import UsageError

_SCHEMES = ("redis://", "rediss://", "unix://")


def connect(url: str) -> Redis:
    """A client for the URL; it connects when it is used. Raises UsageError `bad_queue_url`."""
    if not url.startswith(_SCHEMES):
        raise UsageError("bad_queue_url", f"{url!r} is no address of Redis; write redis://HOST:6379 or rediss://HOST.")
    try:
        # Longer than Redis is asked to wait for a job; keepalive finds hosts that are gone.
        return Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5, socket_keepalive=True, retry=None)
    except ValueError as error:
        raise UsageError("bad_queue_url", f"The address of Redis cannot be read: {error}.") from error
