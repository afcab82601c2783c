"""Opening a finished dataset: its tables, explanations of verdicts, and judging again."""

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
    """Open the dataset in a folder. Raises DatasetError when it is not a dataset, is unfinished or is damaged."""
    manifests = read(Path(path))
    return Dataset(manifests.layout, manifests.about, manifests.sums)


@dataclass(frozen=True, slots=True)
class Dataset(Manifests):
    """A finished dataset, from `open_dataset`. Its methods read no picture and run no network.

    faces: a pyarrow table with one row per face, kept or rejected, sorted by source. pictures: a pyarrow table with one
    row per input. docs/dataset.md describes their columns. about: how the dataset was made, and its counts.
    """

    @property
    def policy(self) -> Policy:
        """The rules that made its verdicts. Raises DatasetError when the recorded policy is not valid."""
        return policy_of(self.about, self.layout)

    def explain(self, face_id: str) -> Explanation:
        """Every rule, value and limit of one face. face_id: its id, or the beginning of it.

        Raises UsageError when no face, or more than one, has such an id.
        """
        return explain(self, face_id)

    def rejudge(
        self,
        policy: Policy | None = None,
        output: str | os.PathLike[str] | None = None,
        *,
        settings: Settings | None = None,
    ) -> Rejudged:
        """Judge every face by other rules; this dataset stays as it is.

        policy: None takes the policy of this dataset. output: a new or empty folder, to which the result is written as
        a dataset; its crops are linked or copied from this one.
        Raises DatasetError when `output` is not empty, a crop is missing, or the disk refuses.
        """
        policy = policy or self.policy
        new = rejudge(self, partial(judge, policy))
        if output is not None:
            write_rejudged(self, new, Path(output), policy, settings or Settings.load())
        return new
