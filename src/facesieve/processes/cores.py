"""How many processor cores this process may use, by its affinity and by the CPU quota of its container."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUPS = "sys/fs/cgroup"


def cores(root: Path = Path("/")) -> int:
    """The number of cores, at least 1. A quota of 1.5 cores counts as 2, so that all of it is used.

    root: the folder that holds `proc` and `sys`.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min([allowed, *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """The CPU quotas of this process's control group and of all groups above it, in cores, for versions 1 and 2."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            for folder in _upwards(root / CGROUPS, group):
                yield from _ratio(*_text(folder / "cpu.max").split())
        elif "cpu" in controllers.split(","):
            for folder in (folder for mount in _mounts_of_cpu(root / CGROUPS) for folder in _upwards(mount, group)):
                yield from _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _mounts_of_cpu(groups: Path) -> list[Path]:
    """Where version 1 has the controller `cpu`: a folder named after its controllers, whose order may differ."""
    try:
        return [folder for folder in groups.iterdir() if "cpu" in folder.name.split(",")]
    except OSError:
        return []


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """The folders of a group and of all groups above it. In a container, only the last of them may exist."""
    path = PurePosixPath(group.lstrip("/"))
    for folder in (path, *path.parents):
        yield mount / folder


def _ratio(*numbers: str) -> Iterator[float]:
    """Quota divided by period, if both are positive whole numbers. If there is no quota, the first is `max` or -1."""
    match numbers:
        case (quota, period) if quota.strip().isdigit() and period.strip().isdigit() and int(quota) and int(period):
            yield int(quota) / int(period)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
