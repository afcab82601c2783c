"""The policy that a dataset was judged by, from what it records."""

from __future__ import annotations

from facesieve.dataset.about import About
from facesieve.dataset.layout import Layout
from facesieve.errors import DatasetError, PolicyError
from facesieve.sieve import Policy


def policy_of(about: About, layout: Layout) -> Policy:
    """The rules that a dataset was judged by. Raises DatasetError where what is recorded is no policy."""
    try:
        return Policy.parse(about.origin.policy.plain())
    except PolicyError as error:
        raise DatasetError("damaged_dataset", f"{layout.about} is damaged: {error.message}") from error
