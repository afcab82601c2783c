"""A finished dataset that anyone can open: its tables, why a face was kept or not, and other verdicts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from facesieve.dataset.read import Manifests, read
from facesieve.report.explain import Explanation, explain
from facesieve.report.policy import policy_of
from facesieve.run.rejudge import Rejudged, rejudge, write_rejudged
from facesieve.settings import Settings
from facesieve.sieve import Policy, judge


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open the dataset in a folder. Raises DatasetError when the folder is none, unfinished or damaged."""
    manifests = read(Path(path))
    return Dataset(manifests.layout, manifests.about, manifests.sums)


@dataclass(frozen=True, slots=True)
class Dataset(Manifests):
    """What a build published; `open_dataset` makes it. No picture is read and no network runs.

    faces: a pyarrow table, one row per face, kept or not, sorted by source. pictures: the same, one row per input.
    Their columns are in docs/dataset.md. about: what made the dataset, and its counts.
    """

    @property
    def policy(self) -> Policy:
        """The rules that the dataset was judged by. Raises DatasetError where what is recorded is no policy."""
        return policy_of(self.about, self.layout)

    def explain(self, face_id: str) -> Explanation:
        """Every rule, value and limit of one face. face_id: the beginning of its id.

        Raises UsageError when no face or more than one begins so.
        """
        return explain(self, face_id)

    def rejudge(
        self,
        policy: Policy | None = None,
        output: str | os.PathLike[str] | None = None,
        *,
        settings: Settings | None = None,
    ) -> Rejudged:
        """New verdicts for every face under other rules; this dataset stays as it is.

        policy: None takes the dataset's own. output: a new or empty folder that gets the result as a dataset of its
        own, its crops linked or copied from this one.
        Raises DatasetError where `output` is not empty, a crop is missing, or the disk refuses.
        """
        policy = policy or self.policy
        new = rejudge(self, partial(judge, policy))
        if output is not None:
            write_rejudged(self, new, Path(output), policy, settings or Settings.load())
        return new
