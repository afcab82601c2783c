"""A child process as its parent sees it: it sends numbered requests and receives numbered replies over one pipe."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from facesieve.errors import FacesieveError
from facesieve.processes.forkserver import kill_forkserver
from facesieve.processes.protocol import READY, Reply, Request

_REAPED = 2.0  # seconds that the fork server may take to report that a killed child has ended
_STATUS_TRIES = 1000  # one every millisecond; a program that ignores SIGCHLD never learns the exit status
StartProcess = Callable[..., BaseProcess]  # `forked` or `spawned`: starts a process for a target and its arguments


class ChildDied(Exception):  # noqa: N818 - an outcome that every caller handles
    """The child has ended, or broke the protocol and was killed.

    delivered: False if it ended before it could read the whole request, so that another child may get the request.
    """

    def __init__(self, delivered: bool = True) -> None:
        super().__init__()
        self.delivered = delivered


class Child:
    """One process and the pipe to it. No other process and no later child ever uses this pipe.

    Not thread-safe: its owner calls one method at a time. Only `kill` may be called at any time, from any thread.
    """

    def __init__(self, start: StartProcess, target: Callable[..., None], *arguments: Any) -> None:
        """Start a process that runs `target(pipe, *arguments)`. Raises OSError when the system has no room for it."""
        self.pipe, theirs = multiprocessing.Pipe()
        try:
            self._process = start(target, theirs, *arguments)
        except BaseException:
            self.pipe.close()
            raise
        finally:
            theirs.close()
        self._number = 0
        self._size = 0
        self.exit_code: int | None = None  # known after `close`; negative: the signal that ended the process

    @property
    def sentinel(self) -> int:
        """A descriptor that becomes readable when the process has ended."""
        return self._process.sentinel

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def wait_ready(self) -> None:
        """Wait until the child is ready. Raises ChildDied, or the FacesieveError with which its start failed."""
        message = self._receive()
        if isinstance(message, FacesieveError):
            raise message
        if message != READY:
            raise self._protocol_error()

    def send(self, value: Any, data: bytes = b"") -> None:
        """Send one request. Its last reply must be received before the next request is sent. Raises ChildDied."""
        self._number += 1
        self._size = len(data)
        try:
            self.pipe.send(Request(self._number, self._size, value))
            if data:
                self.pipe.send_bytes(data)
        except OSError:
            delivered = False
        except Exception:  # half a request may be in the pipe, so this child cannot be used again
            delivered = True
        else:
            return
        self.kill()
        # Raised here and not above, because that error would keep the frames that hold the message.
        raise ChildDied(delivered)

    def receive(self) -> Reply:
        """Wait for the next reply to the request. Raises ChildDied, also when the reply is to another request."""
        reply = self._receive()
        if not isinstance(reply, Reply) or (reply.number, reply.size) != (self._number, self._size):
            raise self._protocol_error()
        return reply

    def kill(self) -> None:
        """Kill the process, whatever it is doing. A thread that waits for it in another method gets ChildDied."""
        with contextlib.suppress(ValueError):  # it is closed already
            self._process.kill()

    def close(self) -> None:
        """Kill the process, wait until it has ended, and close the pipe and its other descriptors in this process."""
        self.kill()
        self.pipe.close()
        self._process.join(_REAPED)
        if self._process.exitcode is None:  # a stopped fork server reports nothing
            kill_forkserver()
            self._process.join()
        for _ in range(_STATUS_TRIES):  # another thread may have waited for it and be storing its status now
            if self._process.exitcode is not None:
                self.exit_code = self._process.exitcode
                self._process.close()
                return
            time.sleep(0.001)

    def _receive(self) -> Any:
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.kill()
            raise ChildDied from None
        except Exception:  # the bytes are not a message, and unpickling raises almost anything
            raise self._protocol_error() from None

    def _protocol_error(self) -> ChildDied:
        self.kill()
        return ChildDied()
