"""The number of usable cores, with the files that Linux shows in containers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facesieve.processes.cores import cores

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="control groups are Linux's")


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def version_2(root: Path, group: str, limits: dict[str, str]) -> Path:
    files = {f"sys/fs/cgroup{folder}/cpu.max": limit for folder, limit in limits.items()}
    return write(root, {"proc/self/cgroup": f"0::{group}\n"} | files)


def version_1(root: Path, group: str, limits: dict[str, tuple[str, str]], controllers: str = "cpu,cpuacct") -> Path:
    lines = f"12:pids:{group}\n4:cpuset:/\n3:{controllers}:{group}\n1:name=systemd:{group}\n0::/system.slice\n"
    files = {"proc/self/cgroup": lines}
    for folder, (quota, period) in limits.items():
        files[f"sys/fs/cgroup/{controllers}{folder}/cpu.cfs_quota_us"] = quota
        files[f"sys/fs/cgroup/{controllers}{folder}/cpu.cfs_period_us"] = period
    return write(root, files)


def test_without_control_groups_the_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores(tmp_path) == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert cores(tmp_path) == 1


def test_where_there_is_no_affinity_all_cores_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores(tmp_path) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores(tmp_path) == 1


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("2000000 100000\n", 8),
        ("50000 50000\n", 1),
    ],
)
def test_a_quota_of_version_2_limits_the_cores(tmp_path: Path, limit: str, expected: int) -> None:
    assert cores(version_2(tmp_path, "/", {"/": limit})) == expected


def test_the_smallest_quota_of_a_group_and_those_above_it_counts(tmp_path: Path) -> None:
    limits = {"/kube/pod/box": "max 100000\n", "/kube/pod": "300000 100000\n", "/kube": "500000 100000\n"}
    assert cores(version_2(tmp_path, "/kube/pod/box", limits)) == 3


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(("-1\n", "100000\n"), 8), (("250000\n", "100000\n"), 3), (("5000\n", "100000\n"), 1)],
)
def test_a_quota_of_version_1_limits_the_cores(tmp_path: Path, limit: tuple[str, str], expected: int) -> None:
    assert cores(version_1(tmp_path / "own", "/docker/1f", {"/docker/1f": limit})) == expected
    # Docker shows a container its own group as the top.
    assert cores(version_1(tmp_path / "top", "/docker/1f", {"/": limit}, controllers="cpu")) == expected


@pytest.mark.parametrize(
    "limit", ["", "\n", "max", "100000\n", "0 100000\n", "100000 0\n", "-1 100000\n", "a b\n", "1 2 3\n", "\0\n"]
)
def test_a_file_that_says_something_else_is_no_limit(tmp_path: Path, limit: str) -> None:
    assert cores(version_2(tmp_path, "/", {"/": limit})) == 8


@pytest.mark.parametrize("groups", ["", "0\n", "0::\n", "nonsense", "::::\n", "3:cpu\n"])
def test_a_list_of_groups_that_says_something_else_is_no_limit(tmp_path: Path, groups: str) -> None:
    assert cores(write(tmp_path, {"proc/self/cgroup": groups})) == 8


def test_a_folder_in_place_of_a_file_is_no_limit(tmp_path: Path) -> None:
    (tmp_path / "sys/fs/cgroup/cpu.max").mkdir(parents=True)
    assert cores(version_2(tmp_path, "/", {})) == 8


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpuacct,cpu", "cpu", "cpu,cpuset,cpuacct"])
def test_the_folder_of_a_controller_is_found_by_its_name_whatever_the_order(tmp_path: Path, folder: str) -> None:
    version_1(tmp_path, "/docker/1", {"/docker/1": ("300000", "100000")}, folder)
    lines = "3:cpuacct,cpu:/docker/1\n4:cpuset:/\n"
    assert cores(write(tmp_path, {"proc/self/cgroup": lines, "sys/fs/cgroup/cpuset/cpu.cfs_quota_us": "1"})) == 3
