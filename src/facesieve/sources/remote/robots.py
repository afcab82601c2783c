"""The header `X-Robots-Tag`, by which a site forbids the use of its pictures for training."""

from __future__ import annotations

from collections.abc import Iterable

AGENT = "facesieve"  # our name in the header and in `User-Agent`
FORBIDDING = {"noai", "noimageai"}
WITH_VALUE = {"max-image-preview", "max-snippet", "max-video-preview", "unavailable_after"}  # `NAME: VALUE`, no agents


def forbids_training(values: Iterable[str]) -> bool:
    """Whether one of the header's values forbids training, for everyone or for us.

    Each value is a list of directives, perhaps after the name of the agent that it is for: `noai`, `otherbot: noai`.
    """
    for value in values:
        first, colon, rest = value.lower().partition(":")
        has_agent = bool(colon) and "," not in first and first.strip() not in WITH_VALUE
        directives = rest if has_agent else value.lower()
        for_us = not has_agent or first.strip() in (AGENT, "*")
        if for_us and FORBIDDING & {one.strip() for one in directives.split(",")}:
            return True
    return False
