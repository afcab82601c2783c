"""Opens a finished dataset: its tables, the explanation of a verdict, and verdicts under other rules."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from facesieve.dataset.manifests import Manifests, open_manifests
from facesieve.report.explain import Explanation, explain_face
from facesieve.report.policy import policy_of
from facesieve.run.face_tables import FaceTables
from facesieve.run.rejudge import Rejudged, rejudge, write_rejudged
from facesieve.run.relate_all import relate_all
from facesieve.settings import Settings
from facesieve.sieve import Policy, judge_columns


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open the dataset in a folder. Raises DatasetError if it is not a dataset, is unfinished or is damaged."""
    manifests = open_manifests(Path(path))
    return Dataset(manifests.layout, manifests.about, manifests.sums)


@dataclass(frozen=True, slots=True)
class Dataset(Manifests):
    """A finished dataset, as `open_dataset` returns it. It reads no picture and runs no network.

    faces: a pyarrow table with one row per face, kept or rejected, sorted by source.
    pictures: a pyarrow table with one row per input. docs/dataset.md lists the columns of both.
    about: what made the dataset, and its counts.
    """

    @property
    def policy(self) -> Policy:
        """The policy that the dataset was judged with. Raises DatasetError if it does not record a valid one."""
        return policy_of(self.about, self.layout)

    def explain(self, face_id: str) -> Explanation:
        """Explain the verdict on one face: each rule with its limits and the measure of the face.

        face_id: the id of the face, or its first digits. Raises UsageError if no face or more than one matches.
        """
        return explain_face(self, face_id)

    def rejudge(
        self,
        policy: Policy | None = None,
        output: str | os.PathLike[str] | None = None,
        *,
        settings: Settings | None = None,
    ) -> Rejudged:
        """Judge every face again under other rules. This dataset does not change.

        policy: None uses the policy of the dataset. output: a new or empty folder for the result, as a dataset of its
        own; its crops are hard links to those of this dataset, or copies.
        Raises PolicyError if a rule needs what the dataset does not have, and DatasetError if `output` is not empty, a
        crop is missing, or a file cannot be written.
        """
        policy = policy or self.policy
        related = relate_all(FaceTables.of(self), policy, 3)
        new = rejudge(
            self,
            partial(judge_columns, policy),
            [*(rule.measure for rule in policy.rules), *sorted(related.columns)],
            related,
        )
        if output is not None:
            write_rejudged(self, new, Path(output), policy, settings or Settings.load())
        return new
