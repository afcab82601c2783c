"""Measures of single faces, computed by pure functions over batches. `measure` returns all; `MEASURES` lists them.

`RELATIONS` lists numbers that need the other faces, which `facesieve.relate` computes.
"""

from facesieve.quality.blur import luma
from facesieve.quality.crop_hash import crop_hash, mirrored_bits
from facesieve.quality.fitness import fitness
from facesieve.quality.measure import measure
from facesieve.quality.pose_bins import PITCH_BINS, YAW_BINS, pose_bins
from facesieve.quality.size import prominence
from facesieve.quality.table import (
    ALL_MEASURES,
    DATASET_RELATIONS,
    DUPLICATE_RELATIONS,
    FITNESS_PARTS,
    HELD_OUT_RELATIONS,
    LABEL_RELATIONS,
    MEASURES,
    OF_ONE_PICTURE,
    RELATIONS,
    TRACK_RELATIONS,
    Measure,
    is_relation,
    measure_named,
)

__all__ = [
    "ALL_MEASURES",
    "DATASET_RELATIONS",
    "DUPLICATE_RELATIONS",
    "FITNESS_PARTS",
    "HELD_OUT_RELATIONS",
    "LABEL_RELATIONS",
    "MEASURES",
    "OF_ONE_PICTURE",
    "PITCH_BINS",
    "RELATIONS",
    "TRACK_RELATIONS",
    "YAW_BINS",
    "Measure",
    "crop_hash",
    "fitness",
    "is_relation",
    "luma",
    "measure",
    "measure_named",
    "mirrored_bits",
    "pose_bins",
    "prominence",
]
