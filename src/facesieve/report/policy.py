"""The policy that a dataset was judged with, from its `dataset.json`."""

from __future__ import annotations

from facesieve.dataset.about import About
from facesieve.dataset.disk.damage import damaged_file
from facesieve.dataset.disk.layout import Layout
from facesieve.errors import PolicyError
from facesieve.sieve import Policy


def policy_of(about: About, layout: Layout) -> Policy:
    """The policy that a dataset was judged with. Raises DatasetError if `dataset.json` does not hold a valid one."""
    try:
        return Policy.parse(about.origin.policy.as_json())
    except PolicyError as error:
        raise damaged_file(layout.about, error.message.removesuffix(".")) from error
