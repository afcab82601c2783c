"""A clip as a file that FFmpeg opens by its descriptor, and the sha256 of its bytes."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from typing import BinaryIO

from facesieve.errors import Refused
from facesieve.records import RefusalCode

_CHUNK = 1 << 20
_DESCRIPTORS = "/dev/fd"  # FFmpeg would take some file names for a URL, a pattern or an option, but no path in here


@contextmanager
def clip_file(stream: BinaryIO, head: bytes, limit: int, waiting: Callable[[], None]) -> Iterator[tuple[str, str, int]]:
    """Yield a path, the sha256 of the content as 64 hex digits, and the size in bytes.

    A file on disk is used as it is. Everything else, such as a member of an archive, is copied into a temporary file
    without a name, which is gone with this process however it ends.
    stream: the clip after its first bytes, which are `head`. limit: in bytes. waiting: called now and then.
    Raises Refused `too_many_bytes`, `unsupported_format` on systems without /dev/fd, and OSError.
    """
    if not os.path.isdir(_DESCRIPTORS):  # noqa: PTH112 - no other call follows
        raise Refused(RefusalCode.UNSUPPORTED_FORMAT, "Clips can be read on Linux and macOS only.")
    if isinstance(stream, BufferedReader) and isinstance(stream.raw, FileIO):
        if os.fstat(stream.fileno()).st_size > limit:
            raise _too_large(limit)
        stream.seek(0)
        with _named(stream, b"", limit, waiting, None) as found:
            yield found
        return
    with tempfile.TemporaryFile(prefix="facesieve-tmp-") as copy, _named(stream, head, limit, waiting, copy) as found:
        yield found


@contextmanager
def _named(
    stream: BinaryIO, head: bytes, limit: int, waiting: Callable[[], None], copy: BinaryIO | None
) -> Iterator[tuple[str, str, int]]:
    digest, size, part = hashlib.sha256(), 0, head or stream.read(_CHUNK)
    while part:
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        digest.update(part)
        if copy:
            copy.write(part)
        waiting()
        part = stream.read(_CHUNK)
    file = copy or stream
    file.flush()
    file.seek(0)
    yield f"{_DESCRIPTORS}/{file.fileno()}", digest.hexdigest(), size


def _too_large(limit: int) -> Refused:
    return Refused(RefusalCode.TOO_MANY_BYTES, f"The clip is larger than max_clip_bytes ({limit:,}).")
