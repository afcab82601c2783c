"""The policy that a dataset was judged with, from the file that records it."""

from __future__ import annotations

from pathlib import Path

from facesieve.dataset.about import About
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.own_file import damaged_file
from facesieve.dataset.origin import Origin
from facesieve.errors import PolicyError
from facesieve.sieve import Policy


def policy_of(about: About, layout: Layout) -> Policy:
    """The policy that a dataset was judged with. Raises DatasetError if `dataset.json` does not hold a valid one."""
    return recorded_policy(about.origin, layout.about)


def recorded_policy(origin: Origin, file: Path) -> Policy:
    """The policy in an origin. file: where it was read from. Raises DatasetError if it is not valid."""
    try:
        return Policy.parse(origin.policy.as_json())
    except PolicyError as error:
        raise damaged_file(file, error.message.removesuffix(".")) from error
