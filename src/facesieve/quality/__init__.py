"""Numbers about a face: one pure function each over a batch."""

from facesieve.quality.measure import measure
from facesieve.quality.measures import MEASURES, Measure

__all__ = ["MEASURES", "Measure", "measure"]
