"""Measures of single faces, computed by pure functions over batches. `measure` returns all; `MEASURES` lists them.

`RELATIONS` lists numbers that need the other faces, which `facesieve.relate` computes.
"""

from facesieve.quality.fitness import fitness
from facesieve.quality.measure import measure
from facesieve.quality.size import prominence
from facesieve.quality.table import (
    ALL_MEASURES,
    FITNESS_PARTS,
    MEASURES,
    RELATIONS,
    Measure,
    is_relation,
    measure_named,
)

__all__ = [
    "ALL_MEASURES",
    "FITNESS_PARTS",
    "MEASURES",
    "RELATIONS",
    "Measure",
    "fitness",
    "is_relation",
    "measure",
    "measure_named",
    "prominence",
]
