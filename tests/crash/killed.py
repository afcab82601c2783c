"""Starts builds in processes of their own, and looks at what a killed one left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import pyarrow.parquet as pq

from handmade import files_in

BUILDING = Path(__file__).with_name("building.py")
PATIENCE = 600  # seconds after which a process that should end is stuck; longer than any machine takes


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(BUILDING), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finish(*arguments: object, **options: object) -> tuple[int, str]:
    child = start(*arguments, **options)
    _, errors = child.communicate(timeout=PATIENCE)
    return child.returncode, errors


def wait_for(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdout
    assert any(seen.strip() == line for seen in child.stdout), f"never said {line!r}"


def assert_whole(dataset: Path) -> None:
    for name in files_in(dataset):
        path = dataset / name
        if path.suffix == ".parquet":
            pq.read_table(path)
        elif path.suffix in (".png", ".jpg"):
            assert cv2.imread(str(path)) is not None, f"{name} is half a file"
