"""The headers that make a store change an object only if it has a known version, as S3 and Azure understand them."""

from __future__ import annotations

from facesieve.buckets.store import ABSENT


def conditions(only_if: str | None) -> dict[str, str]:
    """only_if: as in `Store.change_request`; the version of an object is its ETag without quotes."""
    if only_if is None:
        return {}
    if only_if == ABSENT:
        return {"If-None-Match": "*"}
    return {"If-Match": f'"{only_if}"'}
