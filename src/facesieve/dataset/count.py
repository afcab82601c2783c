"""The books of a dataset: pictures = with rows + refused; faces = kept + rejected, per reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict


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
    reasons: dict[str, int]

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


def count(faces: pa.Table, pictures: pa.Table) -> Counts:
    """The counts of two manifests, each number from its own rows."""
    refused = pictures["refusal"].drop_null()
    kept = int(pc.sum(faces["kept"]).as_py() or 0)
    rejected = faces.filter(pc.invert(faces["kept"]))
    return Counts(
        pictures=len(pictures),
        with_rows=len(pictures) - len(refused),
        refused=len(refused),
        refusals=_tally(refused),
        faces=len(faces),
        kept=kept,
        rejected=len(rejected),
        reasons=_tally(pc.list_flatten(rejected["reasons"])),
    )


def _tally(codes: pa.ChunkedArray) -> dict[str, int]:
    """How often each code occurs, the most frequent first, then by name."""
    pairs = [(item["values"].as_py(), item["counts"].as_py()) for item in pc.value_counts(codes)]
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def _each(tally: dict[str, int]) -> str:
    return " (" + ", ".join(f"{code} {number}" for code, number in tally.items()) + ")" if tally else ""
