"""The counts of a dataset: pictures = read + refused; faces = kept + rejected, with each reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, ConfigDict

from facesieve.dataset.tables.former import current_counts
from facesieve.dataset.tables.hashes import Hashes, hashes_of, repeated_hashes
from facesieve.dataset.tables.picture_row import PictureRow, picture_rows, refused

FIRST_REFUSED = 10


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of pictures and faces. `refusals` add up to `refused`; a face with two reasons counts under both.

    with_rows: pictures that were read, so that their faces have rows.
    """

    pictures: int
    with_rows: int
    refused: int
    refusals: dict[str, int]
    faces: int
    kept: int
    rejected: int
    reasons: Annotated[dict[str, int], AfterValidator(current_counts)]

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # checked when counts are read back

    def as_json(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return asdict(self)

    def line(self) -> str:
        """One line of text that shows both sums."""
        return (
            f"pictures: {self.pictures} = {self.with_rows} read + {self.refused} refused{_each(self.refusals)}"
            f" | faces: {self.faces} = {self.kept} kept + {self.rejected} rejected{_each(self.reasons)}"
        )


class RunningCounts:
    """Counts the rows of both manifests, block by block.

    shared_labels: the number of labelled pictures with more than one kept face; all these faces have that label.
    first_refused: the first refused pictures, at most `FIRST_REFUSED`; duplicates of other pictures do not count.
    """

    def __init__(self) -> None:
        self.shared_labels = 0
        self.first_refused = list[PictureRow]()
        self._pictures = self._faces = self._kept = 0
        self._refusals, self._reasons = Counter[str](), Counter[str]()
        self._contents = list[Hashes]()

    def add(self, faces: pa.Table, pictures: pa.Table) -> None:
        """Count the next rows of both manifests."""
        self._pictures += len(pictures)
        self._faces += len(faces)
        self._kept += int(pc.sum(faces["kept"]).as_py() or 0)
        self._refusals += _tally(pictures["refusal"].drop_null())
        if len(self.first_refused) < FIRST_REFUSED:
            self.first_refused += picture_rows(refused(pictures).slice(0, FIRST_REFUSED - len(self.first_refused)))
        self._reasons += _tally(pc.list_flatten(faces.filter(pc.invert(faces["kept"]))["reasons"]))
        several = pc.and_(pc.not_equal(pictures["label"], ""), pc.greater(pictures["kept"], 1))
        if "frames" in pictures.column_names:  # a clip shows the same face often
            several = pc.and_(several, pc.is_null(pictures["frames"]))
        self.shared_labels += int(pc.sum(several).as_py() or 0)
        self._contents.append(hashes_of(pictures["picture_id"].filter(pc.is_null(pictures["refusal"])).to_pylist()))

    def several_labels(self) -> int:
        """The number of pictures with several labels: the same bytes at several paths. Call it once, at the end.

        Within one label, only one row of a picture is not a duplicate; so each further row is under another label.
        """
        return len(repeated_hashes(self._contents))

    def counts(self) -> Counts:
        """The counts so far."""
        refused = self._refusals.total()
        return Counts(
            pictures=self._pictures,
            with_rows=self._pictures - refused,
            refused=refused,
            refusals=_by_frequency(self._refusals),
            faces=self._faces,
            kept=self._kept,
            rejected=self._faces - self._kept,
            reasons=_by_frequency(self._reasons),
        )


def _tally(codes: pa.ChunkedArray) -> Counter[str]:
    return Counter({item["values"].as_py(): item["counts"].as_py() for item in pc.value_counts(codes)})


def _by_frequency(tally: Counter[str]) -> dict[str, int]:
    """The codes with their counts, the most frequent first, then by name."""
    return dict(sorted(tally.items(), key=lambda pair: (-pair[1], pair[0])))


def _each(tally: dict[str, int]) -> str:
    return " (" + ", ".join(f"{code} {number}" for code, number in tally.items()) + ")" if tally else ""
