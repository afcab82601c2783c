"""The header `X-Robots-Tag`, by which a site forbids the use of its pictures for training."""

from __future__ import annotations

from collections.abc import Iterable

AGENT = "facesieve"  # our name in the header and in `User-Agent`
FORBIDDING = {"noai", "noimageai"}


def forbids_training(values: Iterable[str]) -> bool:
    """Whether one of the header's values forbids training, for everyone or for us.

    Each value is a list of directives, perhaps after the name of the agent that it is for: `noai`, `otherbot: noai`.
    """
    for value in values:
        agent, colon, rest = value.partition(":")
        # A directive may have a value of its own, such as `unavailable_after: 25 Jun 2026`; it forbids nothing here.
        directives = rest if colon and "," not in agent else value
        for_us = not colon or "," in agent or agent.strip().lower() in (AGENT, "*")
        if for_us and FORBIDDING & {one.strip().lower() for one in directives.split(",")}:
            return True
    return False
