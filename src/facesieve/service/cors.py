"""CORS: which pages of other origins may use the service in a browser, and which headers they may send and read.

The browser adds no credentials; a page sends its token itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_SENT = "Authorization, X-API-Key, X-Request-ID, Content-Type, Content-Encoding"
_SEEN = "X-Request-ID, Retry-After, Server-Timing"
_SECONDS = "600"  # for which a browser may cache the answer to a preflight


def cors_headers(headers: Mapping[str, str], allowed: Sequence[str]) -> dict[str, str]:
    """The headers that every answer to a page of an allowed origin has."""
    if not allowed:
        return {}
    answer = {"Vary": "Origin"}
    origin = headers.get("Origin", "")
    if origin and ("*" in allowed or origin.lower() in {one.lower().rstrip("/") for one in allowed}):
        answer |= {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _SEEN}
    return answer


def preflight_headers(headers: Mapping[str, str], method: str, allowed: Sequence[str]) -> dict[str, str]:
    """The headers of the answer to a preflight, the OPTIONS request that a browser sends first.

    Returns {} if the request is not a preflight, or if the origin is not allowed.
    """
    answer = cors_headers(headers, allowed)
    if "Access-Control-Allow-Origin" not in answer or "Access-Control-Request-Method" not in headers:
        return {}
    return answer | {
        "Access-Control-Allow-Methods": method,
        "Access-Control-Allow-Headers": _SENT,
        "Access-Control-Max-Age": _SECONDS,
    }
