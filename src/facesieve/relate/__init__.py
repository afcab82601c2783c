"""Numbers about a face that need the other faces: columns in, columns out; no pixels, no network.

A relation is computed among some of N faces, those that passed every rule before it. It returns one (N,) float64
column, NaN for every other face. `facesieve.quality.RELATIONS` lists all relations.

    measures ─ judge ─ rule ─ rule ─ ... ─ which faces passed ─ relation ─ its rule ─ rule ─ ...
                                           └───── column of the relation ────┘

Relations in one picture or track are computed with the picture or clip, by `Pipeline`, and again by `sieve` from the
tables. Relations among all faces of a dataset are computed by `sieve` alone, and only if a rule asks for them.
"""

from facesieve.relate.duplicates import Duplicates, distances, find_duplicates
from facesieve.relate.picture import faces_in_picture, picture_relations
from facesieve.relate.rank_in_picture import rank_in_picture
from facesieve.relate.rank_in_track import track_relations
from facesieve.relate.tracks import find_tracks

__all__ = [
    "Duplicates",
    "distances",
    "faces_in_picture",
    "find_duplicates",
    "find_tracks",
    "picture_relations",
    "rank_in_picture",
    "track_relations",
]
