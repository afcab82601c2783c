"""The extension without memory raises MemoryError, and the process lives on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from facesieve.native import instruction_sets

if not instruction_sets():
    pytest.skip("needs the compiled extension", allow_module_level=True)

CHILD = """
import resource
import numpy as np
from facesieve.native import Extension
native = Extension("portable")
picture = np.zeros((64, 64, 3), np.uint8)
matrices = np.tile(np.eye(2, 3), (20_000, 1, 1))
corners = np.random.default_rng(0).random((2_000_000, 2)) * 1e6
boxes = np.hstack([corners, corners + 1])
grey = np.zeros((1, 8, 8), np.uint8)
space = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (space + (1 << 20), -1))
try:
    CALL
except MemoryError:
    print("MemoryError", len(native.laplacian_variance(grey)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
@pytest.mark.parametrize("call", ["native.warp(picture, matrices, 112)", "native.suppress(boxes, 0.5)"])
def test_too_little_memory_is_a_memory_error(call: str) -> None:
    """The first asks numpy for memory, the second C++: std::bad_alloc becomes a MemoryError on its way out."""
    code = CHILD.replace("CALL", call)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "MemoryError 1\n"), done.stderr
