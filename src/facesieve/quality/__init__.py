"""Numbers about faces: one pure function a file over a batch; `measure` gathers them, `MEASURES` names them."""

from facesieve.quality.measure import measure
from facesieve.quality.table import MEASURES, Measure, measure_named

__all__ = ["MEASURES", "Measure", "measure", "measure_named"]
