"""Makes standard output and error safe to write to, even if they are closed, full, unread or lack a character."""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_STATUS = 2  # for every error
PATIENCE = 1.0  # seconds that a full pipe may delay the program, until it has room again


@contextmanager
def safe_streams() -> Iterator[None]:
    """Let the block write to `sys.stdout` and `sys.stderr`, whatever state they are in.

    Characters that the encoding lacks are written as escapes. Errors of standard error are ignored, and so is a
    reader of standard output that has ended. If standard output fails for another reason, such as a full disk, the
    program reports it and exits with 2.
    """
    _open_closed_descriptors()
    if os.name == "nt":  # a console on Windows is not a file, and takes every character
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        yield
        return
    output = _Descriptor(1)
    sys.stdout = _text(output, sys.stdout)
    sys.stderr = _text(_LossyPipe(2), sys.stderr)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if output.failure and output.failure.errno != errno.EPIPE:
            why = output.failure.strerror
            print(f"error: Cannot write to standard output: {why}. [cannot_write]", file=sys.stderr)
            sys.exit(EXIT_STATUS)


def _open_closed_descriptors() -> None:
    """Open the null device on closed standard descriptors; else the next opened file would get their number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number, this one


class _Descriptor(io.RawIOBase):
    """Writes to a descriptor. failure: the first error, which is kept and not raised."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        view = memoryview(data)
        while True:
            try:
                return os.write(self._descriptor, view)
            except BlockingIOError:  # another process that shares the descriptor made it non-blocking
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.failure = self.failure or error
                return len(view)


class _LossyPipe(_Descriptor):
    """The same, but text for a full pipe is dropped, because waiting would block the program."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        self._patience = PATIENCE

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        if not self._pipe:
            return super().write(data)
        view = memoryview(data)
        if not select.select([], [self._descriptor], [], self._patience)[1]:
            self._patience = 0.0
            return len(view)
        self._patience = PATIENCE
        return super().write(view[: select.PIPE_BUF])  # a pipe with room takes this much without blocking


def _text(raw: _Descriptor, before: object) -> io.TextIOWrapper:
    """A text stream on a descriptor, with the encoding that Python chose for the stream before it."""
    encoding = getattr(before, "encoding", None) or "utf-8"
    line_by_line = raw.fileno() == 2 or raw.isatty()
    buffer = io.BufferedWriter(raw)  # type: ignore[type-var]  # typeshed asks for more than Python
    return io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=line_by_line)
