"""Imported by worker processes of a test: a picture with POISON in its bytes kills the process that hashes it."""

import hashlib
import os
import signal
from typing import Any

_sha256 = hashlib.sha256


def _deadly(data: Any = b"", **options: Any) -> Any:
    if b"POISON" in bytes(data):
        os.kill(os.getpid(), signal.SIGKILL)
    return _sha256(data, **options)


hashlib.sha256 = _deadly
