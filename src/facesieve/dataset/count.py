"""The books of a dataset: pictures = with rows + refused; faces = kept + rejected, per reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, ConfigDict

from facesieve.dataset.former import current_counts
from facesieve.dataset.hashes import Hashes, hashes_of, repeated


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of what; `refusals` add up to `refused`, a face with two reasons counts under both `reasons`."""

    pictures: int
    with_rows: int
    refused: int
    refusals: dict[str, int]
    faces: int
    kept: int
    rejected: int
    reasons: Annotated[dict[str, int], AfterValidator(current_counts)]

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # of counts that are read back

    def plain(self) -> dict[str, Any]:
        """As values that JSON holds."""
        return asdict(self)

    def line(self) -> str:
        """One line in which both sums can be checked."""
        return (
            f"pictures: {self.pictures} = {self.with_rows} with rows + {self.refused} refused{_each(self.refusals)}"
            f" | faces: {self.faces} = {self.kept} kept + {self.rejected} rejected{_each(self.reasons)}"
        )


class Books:
    """Counts of rows as they come by.

    shared_labels: pictures with a label and more than one kept face, which all have that label.
    """

    def __init__(self) -> None:
        self.shared_labels = 0
        self._pictures = self._faces = self._kept = 0
        self._refusals, self._reasons = Counter[str](), Counter[str]()
        self._contents = list[Hashes]()

    def add(self, faces: pa.Table, pictures: pa.Table) -> None:
        """The next rows of both manifests."""
        self._pictures += len(pictures)
        self._faces += len(faces)
        self._kept += int(pc.sum(faces["kept"]).as_py() or 0)
        self._refusals += _tally(pictures["refusal"].drop_null())
        self._reasons += _tally(pc.list_flatten(faces.filter(pc.invert(faces["kept"]))["reasons"]))
        several = pc.and_(pc.not_equal(pictures["label"], ""), pc.greater(pictures["kept"], 1))
        self.shared_labels += int(pc.sum(several).as_py() or 0)
        self._contents.append(hashes_of(pictures["picture_id"].filter(pc.is_null(pictures["refusal"])).to_pylist()))

    def several_labels(self) -> int:
        """How many pictures are under several labels, as their bytes lie at several paths. Called once, at the end.

        Within a label a picture has only one row that is not a duplicate.
        """
        return len(repeated(self._contents))

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


def count(blocks: Iterable[tuple[pa.Table, pa.Table]]) -> Counts:
    """The counts of blocks of both manifests."""
    books = Books()
    for faces, pictures in blocks:
        books.add(faces, pictures)
    return books.counts()


def _tally(codes: pa.ChunkedArray) -> Counter[str]:
    return Counter({item["values"].as_py(): item["counts"].as_py() for item in pc.value_counts(codes)})


def _by_frequency(tally: Counter[str]) -> dict[str, int]:
    """How often each code occurs, the most frequent first, then by name."""
    return dict(sorted(tally.items(), key=lambda pair: (-pair[1], pair[0])))


def _each(tally: dict[str, int]) -> str:
    return " (" + ", ".join(f"{code} {number}" for code, number in tally.items()) + ")" if tally else ""
