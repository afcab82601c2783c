"""Programs that end with the process that started them, also when that process is killed."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent() -> Callable[[], None] | None:
    """What `subprocess` calls in the new process, as its `preexec_fn`; None outside Linux, which has no such call."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded here, because little is safe between fork and exec
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
