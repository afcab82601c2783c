"""The progress of a build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass

from facesieve.records import Record


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of some pictures: how many are `done`, how many of these `refused`; how many faces `kept`, `rejected`.

    frames: how many frames of clips were read. share: how much of clips that go on was read, in clips.
    """

    done: int = 0
    refused: int = 0
    kept: int = 0
    rejected: int = 0
    frames: int = 0
    share: float = 0.0

    @classmethod
    def of(cls, record: Record) -> Tally:
        """The counts of one picture."""
        kept = len(record.kept)
        return cls(1, int(record.refusal is not None), kept, len(record.faces) - kept)

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def __neg__(self) -> Tally:
        """The counts to add when this work was lost."""
        return Tally(*(-one for one in astuple(self)))


@dataclass(frozen=True, slots=True)
class Progress:
    """Running counts of one build: how many pictures of `total` are `done`, and their results.

    already: how many pictures earlier builds had finished; they are not part of `total`. frames, share: as in `Tally`.
    """

    total: int
    already: int = 0
    done: int = 0
    refused: int = 0
    kept: int = 0
    rejected: int = 0
    frames: int = 0
    share: float = 0.0

    @property
    def reached(self) -> float:
        """How many pictures are done, with the parts of clips that were read."""
        return self.done + self.share

    def after(self, tally: Tally) -> Progress:
        """The counts with these added."""
        _, _, *before = astuple(self)
        return Progress(self.total, self.already, *astuple(Tally(*before) + tally))


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far one step of a command is: how many of `total` are `done`. what: names what is counted, and the step."""

    what: str
    total: int
    done: int = 0


WatchSteps = Callable[[StepProgress], None]
