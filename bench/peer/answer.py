"""The loop of every package's program: reads paths of decoded photos from stdin, writes lines of JSON to stdout.

Only detection is timed. Pixels are (H, W, 3) uint8 RGB in .npy files, the same for every package, so decoders play no
part. Output of the package itself goes to stderr.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

STATUS = Path("/proc/self/status")


def peak() -> float:
    """Peak memory of this process in MB. (`ru_maxrss` on Linux starts with the memory of the parent.)"""
    if STATUS.exists():
        return int(next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def answer(detect: Callable[[np.ndarray], int]) -> None:
    """Print for every photo how many faces `detect` finds, its wall and CPU seconds, and the process's peak in MB."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        pixels = np.load(line.rstrip("\n"))
        wall, cpu = time.perf_counter(), time.process_time()
        faces = detect(pixels)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"faces": faces, "wall": wall, "cpu": cpu, "peak": peak()}), file=out, flush=True)
