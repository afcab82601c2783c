"""Faces near to the limits of a rule that has two."""

from __future__ import annotations

from pathlib import Path

from facesieve import open_dataset
from facesieve.report.near_limit import faces_near_limit
from facesieve.run.build import build_dataset
from facesieve.sieve import Policy
from handmade import Handmade, build_spec, photos, sources_in


def test_both_limits_of_a_rule_count_and_unmeasured_faces_do_not(tmp_path: Path, astronaut: Path) -> None:
    build_dataset(sources_in(photos(tmp_path / "heap", astronaut, 30)), tmp_path / "out", Handmade, build_spec())
    rules = [{"measure": "yaw", "low": 30, "high": 60, "reason": "turned"}]
    open_dataset(tmp_path / "out").rejudge(Policy.parse({"name": "two", "rules": rules}), tmp_path / "new")
    dataset = open_dataset(tmp_path / "new")
    yaws = [yaw for yaw in dataset.faces["yaw"].to_pylist() if yaw is not None]
    assert len(yaws) < len(dataset.faces)
    faces = faces_near_limit(dataset, "turned", 1000)
    assert [face.passed for face in faces] == sorted((face.passed for face in faces), reverse=True)
    outside = [face.value for face in faces if not face.passed]
    assert outside == sorted((yaw for yaw in yaws if not 30 <= yaw <= 60), key=lambda yaw: max(30 - yaw, yaw - 60))
    within = [face.value for face in faces if face.passed]
    assert within == sorted((yaw for yaw in yaws if 30 <= yaw <= 60), key=lambda yaw: -min(yaw - 30, 60 - yaw))
    assert len(within) > 1 and len(outside) > 1
