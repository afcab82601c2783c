"""Numbers about a face that need the other faces: columns in, columns out; no pixels, no network.

A relation is computed among some of N faces, those that passed every rule before it. It returns one (N,) float64
column, NaN for every other face. `facesieve.quality.RELATIONS` lists all relations.

    measures ─ judge ─ rule ─ rule ─ ... ─ which faces passed ─ relation ─ its rule ─ rule ─ ...
                                           └───── column of the relation ────┘

Relations in one picture or track are computed with the picture or clip, by `Pipeline`, and again by `sieve` from the
tables. Relations among all faces of a dataset are computed from its tables, and only if a rule asks for them.
`people.py` compares whole labels.
"""

from facesieve.relate.centres import Centres, find_centres
from facesieve.relate.duplicates import Duplicates, find_duplicates
from facesieve.relate.embedded import Embedded
from facesieve.relate.hash_bits import HashColumns, distances
from facesieve.relate.held_out import OwnLabels, held_out_by_embedding, held_out_by_hash
from facesieve.relate.labels import LabelFit, fit_labels, label_distance
from facesieve.relate.people import Pairs, TwoGroups, nearest_labels, same_person, twice_in_a_picture, two_groups
from facesieve.relate.picture import faces_in_picture, picture_relations
from facesieve.relate.rank_in_picture import rank_in_picture
from facesieve.relate.rank_in_track import track_relations
from facesieve.relate.space import Space
from facesieve.relate.tracks import find_tracks

__all__ = [
    "Centres",
    "Duplicates",
    "Embedded",
    "HashColumns",
    "LabelFit",
    "OwnLabels",
    "Pairs",
    "Space",
    "TwoGroups",
    "distances",
    "faces_in_picture",
    "find_centres",
    "find_duplicates",
    "find_tracks",
    "fit_labels",
    "held_out_by_embedding",
    "held_out_by_hash",
    "label_distance",
    "nearest_labels",
    "picture_relations",
    "rank_in_picture",
    "same_person",
    "track_relations",
    "twice_in_a_picture",
    "two_groups",
]
