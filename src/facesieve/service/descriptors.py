"""How many connections the limit of open file descriptors allows."""

from __future__ import annotations

_DEFAULT = 4096  # connections, unless the setting says more
_OTHERS = 24  # descriptors for everything except connections and workers
_OF_A_WORKER = 6  # descriptors of a worker and of the one that replaces it
_OF_A_FETCH = 3  # a connection, one to another address of the host that is tried too, and a lookup of its name


def room_for_connections(wanted: int, workers: int, fetches: int = 0) -> int:
    """The most connections that the limit of descriptors allows; at most `wanted`, unless that is 0.

    workers, fetches: how many there may be at a time.
    Raises the soft limit of the process if that makes room for more connections.
    """
    most = wanted or _DEFAULT
    spare = _OTHERS + _OF_A_WORKER * workers + _OF_A_FETCH * fetches
    return max(1, min(most, _raised_limit(most + spare) - spare))


def _raised_limit(wanted: int) -> int:
    """The limit of open descriptors, raised to `wanted` as far as the system allows; `wanted` if there is no limit."""
    try:
        import resource
    except ImportError:  # Windows
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == unlimited else soft
