"""The progress of a build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from facesieve.records import Record


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of some pictures: how many are `done`, how many of these `refused`; how many faces `kept`, `rejected`."""

    done: int = 0
    refused: int = 0
    kept: int = 0
    rejected: int = 0

    @classmethod
    def of(cls, record: Record) -> Tally:
        """The counts of one picture."""
        kept = len(record.kept)
        return cls(1, int(record.refusal is not None), kept, len(record.faces) - kept)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.done + other.done,
            self.refused + other.refused,
            self.kept + other.kept,
            self.rejected + other.rejected,
        )

    def __neg__(self) -> Tally:
        """The counts to add when this work was lost."""
        return Tally(-self.done, -self.refused, -self.kept, -self.rejected)


@dataclass(frozen=True, slots=True)
class Progress:
    """Running counts of one build: how many pictures of `total` are `done`, and their results.

    already: how many pictures earlier builds had finished; they are not part of `total`.
    """

    total: int
    already: int = 0
    done: int = 0
    refused: int = 0
    kept: int = 0
    rejected: int = 0

    def after(self, tally: Tally) -> Progress:
        """The counts with these added."""
        now = Tally(self.done, self.refused, self.kept, self.rejected) + tally
        return Progress(self.total, self.already, now.done, now.refused, now.kept, now.rejected)


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far one step of a command is: how many of `total` are `done`. what: names what is counted, and the step."""

    what: str
    total: int
    done: int = 0


WatchSteps = Callable[[StepProgress], None]
