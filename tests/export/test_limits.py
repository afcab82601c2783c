"""Limits per label and balance: the fittest of many poses, with a reason for every face that is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from facesieve.export.export import export_dataset
from facesieve.export.facts import Facts
from facesieve.export.limit import balanced, fittest, frequent
from facesieve.quality import YAW_BINS, pose_bins

ALL = slice(None)


def facts(label: list[int], fitness: list[float], pose: list[int]) -> Facts:
    count = len(label)
    numbers = np.arange(count)
    flags = np.ones(count, bool)
    units = np.zeros((count, 2), np.uint64)
    names = tuple(map(str, range(max(label, default=-1) + 1)))
    return Facts(
        names, np.array(label, np.int64), numbers, numbers, numbers, units, units[:, 0], flags, flags, flags,
        np.array(fitness, np.float64), np.array(pose, np.int64),
    )  # fmt: skip


def test_the_fittest_of_each_pose_come_before_the_second_of_any() -> None:
    held = facts([0] * 6 + [1], [90, 80, 70, 10, np.nan, 60, 1], [2, 2, 2, 0, 1, -1, 2])
    every = np.ones(7, bool)
    assert np.flatnonzero(fittest(held, every, 3)).tolist() == [0, 3, 5, 6]
    assert np.flatnonzero(fittest(held, every, 5)).tolist() == [0, 1, 3, 4, 5, 6]
    assert fittest(held, every, 100).all()
    assert np.flatnonzero(fittest(held, every & (held.label == 1), 1)).tolist() == [6]
    assert not fittest(held, ~every, 3).any()


def test_labels_with_too_few_of_the_faces_to_choose_from_go() -> None:
    held = facts([0, 0, 1, 1, 1], [1.0] * 5, [2] * 5)
    among = np.array([1, 1, 1, 1, 0], bool)
    assert frequent(held, among, 2).tolist() == among.tolist()
    assert frequent(held, np.array([1, 1, 1, 0, 0], bool), 2).tolist() == [True, True, False, False, False]
    assert frequent(facts([], [], []), np.zeros(0, bool), 2).tolist() == []


def test_balance_takes_as_many_of_each_yaw_bin_as_the_rarest_has_in_its_split() -> None:
    pose = [2, 2, 7, 12, 0, 0, 4, -1, 2]
    held = facts([0] * 9, [5, 9, 8, 7, 1, 2, 3, 99, 4], pose)
    split = np.array([0] * 8 + [1])
    taken = balanced(held, np.ones(9, bool), split, len(YAW_BINS))
    assert np.flatnonzero(taken).tolist() == [1, 5, 6, 8], "one frontal, one of each profile; the other split has one"
    assert not balanced(held, np.zeros(9, bool), split, 5).any()
    assert not balanced(replace(held, pose=np.full(9, -1)), np.ones(9, bool), split, 5).any()


def test_pose_bins_have_edges_at_15_and_45_degrees() -> None:
    yaw = np.array([-90.0, -45.0, -15.1, -15, 0, 15, 45, np.nan])
    assert (pose_bins(yaw, np.zeros(8)) % 5).tolist() == [0, 1, 1, 2, 2, 3, 4, 4]
    assert pose_bins(np.zeros(3), np.array([-20.0, 20.0, np.nan])).tolist() == [2, 12, -1]


def test_every_face_that_is_left_out_has_a_reason(people: Path, tmp_path: Path) -> None:
    done = export_dataset(
        people, "csv", tmp_path / "out", where="blur > 20", min_per_label=2, max_per_label=3, balance="pose"
    )
    rows = pq.read_table(tmp_path / "out" / "selection.parquet").to_pylist()
    faces = pq.read_table(people / "faces.parquet").to_pylist()
    assert [(row["face_id"], row["label"]) for row in rows] == [(row["face_id"], row["label"]) for row in faces]
    counts: dict[str, int] = {}
    for row, face in zip(rows, faces, strict=True):
        assert (row["split"] is None) == (row["left_out"] is not None) == (row["class"] is None)
        assert (row["left_out"] == "rejected") == (not face["kept"])
        assert (row["left_out"] == "where") == (face["kept"] and not face["blur"] > 20)
        counts[row["left_out"]] = counts.get(row["left_out"], 0) + 1
    assert counts.pop(None) == done.faces and counts == done.left_out
    assert {"rejected", "where", "balance"} <= set(counts)
    taken = [row["label"] for row in rows if row["split"]]
    assert all(2 <= taken.count(label) <= 3 for label in set(taken))
