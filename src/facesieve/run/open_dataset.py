"""Opens a finished dataset: its tables, the explanation of a verdict, and verdicts under other rules."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from facesieve.dataset.manifests import Manifests, open_manifests
from facesieve.report.explain import Explanation, explain_face
from facesieve.report.policy import policy_of
from facesieve.run.claim import kept_from_changes
from facesieve.run.comparisons import compare_faces
from facesieve.run.face_tables import FaceTables
from facesieve.run.held_out import open_held_out, without_leaks
from facesieve.run.people import People, people_of, write_people
from facesieve.run.receipts import leave_receipt
from facesieve.run.rejudge import Rejudged, origin_of, rejudge, write_rejudged
from facesieve.run.rejudged_output import earlier_result, is_already_so, output_of
from facesieve.run.relate_all import relate_all
from facesieve.run.write_report import write_report
from facesieve.settings import Settings
from facesieve.sieve import Policy, judge_columns

_PATIENCE = 10.0  # seconds to wait for another command to leave its receipt


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open the dataset in a folder. Raises DatasetError if it is not a dataset, is unfinished or is damaged."""
    manifests = open_manifests(Path(path))
    return Dataset(manifests.layout, manifests.about, manifests.sums, manifests.decisions)


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

    def people(
        self, *, against: str | os.PathLike[str] | None = None, min_label_faces: int | None = None, write: bool = False
    ) -> People:
        """Compare the kept faces within and across labels: a summary of each label, and what looks wrong.

        against: the folder of another dataset to compare with. min_label_faces: as the setting; None takes that of the
        dataset. write: also write `people.parquet` into the folder of the dataset.
        Raises DatasetError if a file is damaged, or cannot be written.
        """
        least = self._min_label_faces if min_label_faces is None else min_label_faces
        held_out = None if against is None else open_held_out(against, self, least)
        people = people_of(compare_faces(self, least, held_out), self.layout.root)
        if write:
            with kept_from_changes(self.layout):
                write_people(people, self.layout)
        return people

    def report(
        self, output: str | os.PathLike[str] | None = None, *, language: str | None = None, labels: int | None = None
    ) -> Path:
        """Write a page about the whole dataset, and return where it is: `report.html` in the dataset, or `output`.

        language: the code of the language that the page begins with; None takes that of the browser. labels: at most so
        many labels have a row; None is 200. Raises DatasetError if a file is damaged or cannot be written, or a build
        is writing to the dataset; UsageError for an unknown language.
        """
        return write_report(self.layout.root, None if output is None else Path(output), language, labels)

    @property
    def _min_label_faces(self) -> int:
        recorded = self.about.origin.settings.get("min_label_faces")
        return recorded if isinstance(recorded, int) else int(Settings.model_fields["min_label_faces"].default)

    def rejudge(
        self,
        policy: Policy | None = None,
        output: str | os.PathLike[str] | None = None,
        *,
        settings: Settings | None = None,
        against: str | os.PathLike[str] | None = None,
        min_label_faces: int | None = None,
        overwrite: bool = False,
    ) -> Rejudged:
        """Judge every face again under other rules. This dataset does not change.

        policy: None uses the policy of the dataset. output: a new or empty folder for the result, as a dataset of its
        own; its crops are hard links to those of this dataset, or copies. A folder that has this result already stays
        as it is. overwrite: replace, as a whole, what an earlier call wrote to that folder.
        min_label_faces: as the setting; None takes that of the dataset.
        against: the folder of another dataset. Faces that are near to its kept faces are rejected as `leaked`; a rule
        on `held_out_distance` changes the limit.
        Raises PolicyError if a rule needs what the dataset does not have. Raises DatasetError if `output` has something
        else and `overwrite` is not set, if a crop is missing, or if a file cannot be written.
        """
        policy = policy or self.policy
        least = self._min_label_faces if min_label_faces is None else min_label_faces
        held_out = None if against is None else open_held_out(against, self, least)
        if held_out:
            policy = without_leaks(policy, held_out.limit)
        related = relate_all(FaceTables.of(self), policy, least, held_out)
        new = rejudge(
            self,
            partial(judge_columns, policy),
            [*(rule.measure for rule in policy.rules), *sorted(related.columns)],
            related,
        )
        if output is not None:
            settings = (settings or Settings.load()).model_copy(update={"min_label_faces": least})
            new = self._written(new, Path(output), policy, settings, overwrite)
        return new

    def _written(self, new: Rejudged, root: Path, policy: Policy, settings: Settings, overwrite: bool) -> Rejudged:
        """Write the result of other rules, unless the folder has it already, and a receipt of it in this dataset."""
        earlier = earlier_result(root)
        if earlier and is_already_so(earlier, new, origin_of(new, policy, settings)):
            return replace(new, already_so=True, remembered=self._leave_receipt(root, policy) is not None)
        with output_of(self, root, earlier, overwrite) as folder:
            receipt = self._leave_receipt(root, policy)
            try:
                write_rejudged(self, new, folder, policy, settings)
            except BaseException:
                if receipt and earlier is None:
                    receipt.unlink(missing_ok=True)
                raise
        return replace(new, remembered=receipt is not None)

    def _leave_receipt(self, root: Path, policy: Policy) -> Path | None:
        """Remember which faces the folder has, so that `forget` can name it. Raises DatasetError if a build writes."""
        ids = ["face_id"]
        with kept_from_changes(self.layout, _PATIENCE):
            return leave_receipt({"policy": policy.describe()}, self.face_tables(ids), root, self.layout)
