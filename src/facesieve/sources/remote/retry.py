"""How long to wait before a host is asked again."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers that may be different the next time
_FIRST = 0.5  # seconds
_LONGEST = 30.0  # seconds; a host that asks for more is asked again by the next build


def pause(tries: int, retry_after: str = "", jitter: float | None = None) -> float | None:
    """Seconds to wait after `tries` tries; None if the host asks for a longer wait than FaceSieve allows.

    Exponential backoff with full jitter, and never less than the header `Retry-After`: seconds, or a date.
    jitter: in [0, 1]; None draws a random number.
    """
    share = random.random() if jitter is None else jitter
    asked = _seconds(retry_after)
    if asked > _LONGEST:
        return None
    return max(asked, min(_LONGEST, _FIRST * float(2**tries)) * share)


def _seconds(retry_after: str) -> float:
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
