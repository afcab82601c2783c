"""Writes lines to a descriptor that may be slow, full, closed or never read, without ever blocking the caller."""

from __future__ import annotations

import os
import select
import threading
from collections import deque

_MOST_BYTES = 1 << 22  # of lines that wait to be written
_FULL = 1.0  # seconds that one line waits for a descriptor that another program has made non-blocking


class LineWriter:
    """A bounded queue, and a thread that writes its lines in order.

    A line is dropped and counted in `dropped` when the queue is full, or when it cannot be written. The thread
    may block in a write while nothing reads; it is a daemon, so the process can still end.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._torn = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()
        self.dropped = 0

    def write(self, text: str) -> None:
        """Queue a line. It ends with a line break."""
        line = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._closed or self._bytes + len(line) > _MOST_BYTES:
                self.dropped += 1
                return
            self._lines.append(line)
            self._bytes += len(line)
            self._changed.notify_all()

    def flush(self) -> None:
        """Do nothing, because lines are written as soon as possible."""

    def drop(self) -> None:
        """Count a line that could not be formatted."""
        with self._changed:
            self.dropped += 1

    def close(self, seconds: float) -> None:
        """Accept no more lines, and wait at most this long until all are written."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._lines, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    return
                line = self._lines[0]
            written = self._written(line)
            with self._changed:
                self._lines.popleft()
                self._bytes -= len(line)
                self.dropped += not written
                if self._closed:
                    self._changed.notify_all()

    def _written(self, line: bytes) -> bool:
        """Write a line. Returns whether all of it was written. After a partial line, a line break is written first."""
        data = memoryview(b"\n" + line if self._torn else line)
        begun = False
        while data:
            try:
                count = os.write(self._descriptor, data)
            except BlockingIOError:
                if not self._writable():
                    break
            except OSError:
                break
            else:
                begun, data = True, data[count:]
        if begun:
            self._torn = bool(data)
        return not data

    def _writable(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(_FULL * 1e3))
