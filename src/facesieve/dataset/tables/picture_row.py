"""One row of the manifest of pictures, as a typed value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.records import RefusalCode


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One row of `pictures`. refusal, message: the code and the sentence of its refusal; None if it was read."""

    source: str
    label: str
    faces: int
    kept: int
    refusal: str | None
    message: str | None

    def as_json(self) -> dict[str, Any]:
        """The columns as JSON values."""
        return asdict(self)

    def line(self) -> str:
        """The picture and what came of it, as one line of text."""
        label = f"   label {self.label}" if self.label else ""
        return f"picture  {self.source}{label}   {self._outcome()}"

    def _outcome(self) -> str:
        if self.refusal:
            return f"refused: {self.refusal}: {self.message}"
        if not self.faces:
            return "no face was found"
        return f"{self.faces} face{'s' * (self.faces != 1)}, {self.kept} kept"


def picture_rows(pictures: pa.Table) -> Iterator[PictureRow]:
    """Yield the rows of a table of pictures."""
    columns = ["source", "label", "faces", "kept", "refusal", "message"]
    yield from (PictureRow(**row) for row in pictures.select(columns).to_pylist())


def refused(pictures: pa.Table) -> pa.Table:
    """The rows of pictures that were refused, without duplicates of other pictures."""
    refusals = pictures["refusal"]
    wanted = pc.and_(pc.is_valid(refusals), pc.not_equal(refusals, RefusalCode.DUPLICATE.value))
    return pictures.filter(pc.fill_null(wanted, False))
