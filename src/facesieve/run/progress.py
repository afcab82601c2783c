"""How far a build is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from facesieve.records import Record


@dataclass(frozen=True, slots=True)
class Progress:
    """Running counts of one build: pictures of `total` that are `done`, and what came of them.

    already: pictures that an earlier run had finished; they are not part of `total`.
    """

    total: int
    already: int = 0
    done: int = 0
    refused: int = 0
    kept: int = 0
    rejected: int = 0

    def after(self, records: Iterable[Record]) -> Progress:
        """The counts once these records are added."""
        records = list(records)
        kept = sum(len(record.kept) for record in records)
        return replace(
            self,
            done=self.done + len(records),
            refused=self.refused + sum(record.refusal is not None for record in records),
            kept=self.kept + kept,
            rejected=self.rejected + sum(len(record.faces) for record in records) - kept,
        )
