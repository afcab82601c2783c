"""Reads small files that a person writes: settings, policies, tokens."""

from __future__ import annotations

import errno
import tomllib
from pathlib import Path
from typing import Any

from facesieve.regular_file import open_regular

MOST = 1 << 20  # bytes


def read_small(path: Path) -> bytes:
    """The bytes of a regular file of at most 1 MiB. Never waits for a pipe or device.

    Raises OSError, whose `strerror` says why.
    """
    with open_regular(path) as stream:
        data = stream.read(MOST + 1)
    if len(data) > MOST:
        raise OSError(errno.EFBIG, f"larger than {MOST:,} bytes")
    return data


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a small TOML file.

    Raises OSError as `read_small`, and ValueError, which says what is not TOML.
    """
    try:
        return tomllib.loads(read_small(path).decode("utf-8-sig"))  # editors on Windows write a byte order mark
    except RecursionError as error:
        raise ValueError("values are nested too deep") from error
