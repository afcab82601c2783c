"""The connection to Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError, ResponseError

from facesieve.errors import UsageError

_PERMANENT = ("WRONGTYPE", "unknown command", "HELLO must be called")
_SCHEMES = ("redis://", "rediss://", "unix://")


def connect(url: str) -> Redis:
    """A client for the URL; it connects when it is used. Raises UsageError `bad_queue_url`."""
    _check(url)
    # The timeout is longer than a worker lets Redis wait for a job; keepalive notices hosts that are gone.
    return Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5, socket_keepalive=True, retry=None)


@contextmanager
def short_lived_client(url: str) -> Iterator[redis.Redis]:
    """A client for commands that end at once. Raises UsageError `bad_queue_url`, `no_queue` or `queue_refused`."""
    _check(url)
    client = redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5)
    try:
        yield client
    except (RedisError, OSError) as error:
        if is_permanent(error) or isinstance(error, ResponseError):
            raise command_refused(error) from error
        reason = str(error).rstrip(".")  # some of redis-py's messages end with a full stop
        raise UsageError("no_queue", f"Redis at {without_password(url)} does not answer: {reason}.") from error
    finally:
        client.close()


def is_permanent(error: Exception) -> bool:
    """Whether the same command would fail again: Redis denies access, or a key is of the wrong type."""
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return True
    return any(word in str(error) for word in _PERMANENT)


def command_refused(error: Exception) -> UsageError:
    """The error for the user when Redis refuses a command."""
    text = str(error).rstrip(".")
    if "WRONGTYPE" in text:
        text = "a key of this name exists, but is no stream or list; choose other names for --stream, --list, --results"
    elif text.startswith("HELLO must be called"):
        text = "it asks for a password; write redis://:PASSWORD@HOST:6379"
    return UsageError("queue_refused", f"Redis refused a command: {text}.")


def without_password(url: str) -> str:
    """The URL without a password."""
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
        raise UsageError("bad_queue_url", f"The address of Redis cannot be read: {str(error).rstrip('.')}.") from error
