"""The rows of the faces of a dataset, for relations among all faces: they are read several times, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from facesieve.dataset.manifests import Manifests
from facesieve.dataset.tables.decisions import NO_DECISIONS, Decisions
from facesieve.dataset.tables.merge import Block


@dataclass(frozen=True, slots=True)
class FaceTables:
    """The faces of one dataset.

    root: its folder, for messages. names: the measure columns. model: the name of the model of its embeddings, or None.
    blocks: yields the rows, with embeddings if its argument says so; always the same rows in the same order.
    shot_gap: seconds between two best shots of a track, if there are clips. decisions: what people decided.
    """

    root: Path
    names: tuple[str, ...]
    model: str | None
    blocks: Callable[[bool], Iterator[Block]]
    shot_gap: float = 0.0
    decisions: Decisions = NO_DECISIONS

    @classmethod
    def of(cls, dataset: Manifests) -> FaceTables:
        """The faces of a finished dataset."""
        origin = dataset.about.origin
        model = origin.identity.model if origin.identity else None
        return cls(dataset.layout.root, dataset.names, model, dataset.blocks, origin.shot_gap, dataset.decisions)
