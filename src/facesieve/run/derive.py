"""Numbers about faces that follow from the tables alone: what an earlier version did not record, and relations."""

from __future__ import annotations

import numpy as np

from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.schema import BOX
from facesieve.quality import FITNESS_PARTS, fitness, prominence
from facesieve.records import Floats, Indices, Measures
from facesieve.relate import picture_relations, track_relations
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


def relations_in_pictures(measures: Measures, block: Block, gap: float = 0.0) -> Relations:
    """The relations of faces in one picture or track, for the faces of a block.

    measures: with `prominence`, and those of tracks if they are known. gap: see `rank_in_track`.
    """
    owner = owners(block)
    relations = picture_relations(frames_of(owner, block), measures["prominence"])
    if not {"fitness", "yaw", "pitch"} <= measures.columns.keys():
        return relations
    track, time = tracks_of(owner, block), times_of(block)
    return relations | track_relations(track, time, measures["fitness"], measures["yaw"], measures["pitch"], gap)


def frames_of(owner: Indices, block: Block) -> Indices:
    """(N,) a number for the picture or the frame of each face, from 0."""
    return _together(owner, _column(block, "frame")) if _has_clips(block) else owner


def tracks_of(owner: Indices, block: Block) -> Indices:
    """(N,) a number for the track of each face, from 0. A face of a still picture is a track of its own."""
    if not _has_clips(block):
        return np.arange(len(owner))
    track = _column(block, "track")
    return _together(owner, np.where(np.isnan(track), -1.0 - np.arange(len(track)), track))


def times_of(block: Block) -> Floats:
    """(N,) the second of each face in its clip; NaN for still pictures."""
    return _column(block, "time")


def _together(owner: Indices, within: Floats) -> Indices:
    """(N,) numbers from 0 that are equal where both columns are equal."""
    both = np.stack([owner, np.nan_to_num(within)], axis=1)
    return np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)


def _has_clips(block: Block) -> bool:
    return "track" in block.faces.column_names


def _column(block: Block, name: str) -> Floats:
    """(N,) a column that only clips have; NaN for still pictures."""
    if not _has_clips(block):
        return np.full(len(block.faces), np.nan)
    return np.asarray(block.faces[name].cast("float64").fill_null(np.nan), np.float64)


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
