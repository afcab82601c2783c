"""`facesieve stats`: the numbers add up, in text and in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from facesieve.report.stats import Distribution, bars, distribution
from facesieve.run.build import build_dataset
from handmade import Handmade, build_spec, sources_in

Run = Callable[..., tuple[int, str, str]]


def test_funnel_labels_percentiles_and_poses_add_up(run: Run, people: Path) -> None:
    status, out, _ = run("stats", people, "--json")
    assert status == 0
    found = json.loads(out)
    faces = pq.read_table(people / "faces.parquet").to_pylist()
    kept = [face for face in faces if face["kept"]]
    assert found["funnel"]["faces"] == len(faces) and list(found["funnel"].values())[-1] == len(kept)
    first = [face["reasons"][0] for face in faces if face["reasons"]]
    assert found["funnel"]["without blurred"] == len(faces) - first.count("blurred"), "the policy has this rule first"
    assert sum(found["labels"].values()) == len(kept) and sum(found["poses"].values()) == len(kept)
    assert found["labels"]["Ada"] == sum(face["label"] == "Ada" for face in kept)
    yaw = found["measures"]["yaw"]
    assert yaw["measured"] == sum(yaw["histogram"]) == sum(face["yaw"] is not None for face in kept)
    assert yaw["percentiles"][2] == pytest.approx(np.median([face["yaw"] for face in kept if face["yaw"] is not None]))


def test_groups_are_counted_by_label_source_and_reason(run: Run, people: Path) -> None:
    faces = pq.read_table(people / "faces.parquet").to_pylist()
    for by, of_face in (
        ("label", lambda face: [face["label"]]),
        ("source", lambda face: [face["source"].rpartition("/")[0]]),
        ("reason", lambda face: face["reasons"]),
    ):
        found = json.loads(run("stats", people, "--by", by, "--json")[1])
        names = [name for face in faces for name in of_face(face)]
        assert {name: counts["faces"] for name, counts in found.items()} == {name: names.count(name) for name in names}
    status, out, _ = run("stats", people, "--by", "label")
    assert status == 0 and "J. R. Smith" in out
    assert run("stats", people, "--by", "day")[0] == 2


def test_the_text_has_a_line_for_each_measure_and_counts_small_labels(run: Run, people: Path) -> None:
    status, out, _ = run("stats", people, "--min-per-label", "100")
    assert status == 0 and "labels: 10; with fewer than 100 kept faces: 10" in out
    for name in ("confidence", "yaw", "Sharpness", "without blurred", "frontal"):
        assert name in out


def test_a_dataset_without_faces_has_statistics_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    build_dataset(sources_in(tmp_path), tmp_path / "out", Handmade, build_spec())
    assert run("stats", tmp_path / "out")[0] == 0
    assert json.loads(run("stats", tmp_path / "out", "--json")[1])["funnel"] == {"pictures": 1, "read": 0, "faces": 0}


def test_a_distribution_has_percentiles_and_ten_intervals() -> None:
    assert distribution(np.array([np.nan])) == Distribution(0, (), ())
    assert distribution(np.array([3.0, 3.0])) == Distribution(2, (3.0,) * 5, (2, *[0] * 9))
    found = distribution(np.arange(1001.0))
    assert found.percentiles == (50, 250, 500, 750, 950) and sum(found.histogram) == 1001
    assert bars((0, 1, 8)) == "▁▂█" and bars(()) == ""
