"""Measures of single faces, computed by pure functions over batches. `measure` returns all; `MEASURES` lists them."""

from facesieve.quality.measure import measure
from facesieve.quality.table import MEASURES, Measure, measure_named

__all__ = ["MEASURES", "Measure", "measure", "measure_named"]
