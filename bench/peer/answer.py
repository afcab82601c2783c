"""What every peer's program does: paths of decoded photos come in on stdin, lines of JSON go out on stdout.

Only detection is timed. Pixels are (H, W, 3) uint8 RGB in .npy files, the same ones for every peer, so that nobody's
decoder takes part. Whatever a peer prints itself goes to stderr.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

KILOBYTES = 1 if sys.platform == "darwin" else 1024  # unit of ru_maxrss, in bytes


def answer(detect: Callable[[np.ndarray], int]) -> None:
    """Say for every photo how many faces `detect` finds, and what it took: seconds, and the process's peak in MB."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        pixels = np.load(line.rstrip("\n"))
        wall, cpu = time.perf_counter(), time.process_time()
        faces = detect(pixels)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTES / 1e6
        print(json.dumps({"faces": faces, "wall": wall, "cpu": cpu, "peak": peak}), file=out, flush=True)
