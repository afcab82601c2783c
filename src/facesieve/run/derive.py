"""Numbers about faces that follow from the tables alone: what an earlier version did not record, and relations."""

from __future__ import annotations

import numpy as np

from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.schema import BOX
from facesieve.quality import FITNESS_PARTS, fitness, prominence
from facesieve.records import Floats, Indices, Measures
from facesieve.relate import picture_relations
from facesieve.sieve import Relations


def with_derived_measures(measures: Measures, block: Block) -> Measures:
    """The measures of the faces of a block, with `prominence` and `fitness` where they were not recorded.

    Without `fitness` if one of the measures that it is computed from was not recorded.
    """
    columns = dict(measures.columns)
    if _lacks(columns, "prominence"):
        _fill(columns, "prominence", prominence(_numbers(block, BOX), _sizes(block)))
    if _lacks(columns, "fitness") and set(FITNESS_PARTS) <= columns.keys():
        _fill(columns, "fitness", fitness(columns))
    return Measures(columns)


def relations_in_pictures(measures: Measures, block: Block) -> Relations:
    """The relations of faces in one picture, for the faces of a block. measures: with `prominence`."""
    return picture_relations(owners(block), measures["prominence"])


def owners(block: Block) -> Indices:
    """(N,) the row of each face's picture in the block."""
    return np.repeat(np.arange(len(block.pictures)), np.asarray(block.pictures["faces"]))


def _sizes(block: Block) -> Floats:
    columns = [np.asarray(block.pictures[name].fill_null(0), np.float64) for name in ("width", "height")]
    return np.stack(columns, axis=1)[owners(block)]


def _numbers(block: Block, names: tuple[str, ...]) -> Floats:
    return np.stack([np.asarray(block.faces[name], np.float64) for name in names], axis=1)


def _lacks(columns: dict[str, Floats], name: str) -> bool:
    return name not in columns or bool(np.isnan(columns[name]).any())


def _fill(columns: dict[str, Floats], name: str, derived: Floats) -> None:
    held = columns.get(name, derived)
    columns[name] = np.where(np.isnan(held), derived, held)
