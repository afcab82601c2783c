"""Programs that end when the process that started them ends, even when that process is killed."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent() -> Callable[[], None] | None:
    """A `preexec_fn` for `subprocess`: the new program ends with this process. None outside Linux, which lacks this."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded before the fork, because little is safe between fork and exec
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
