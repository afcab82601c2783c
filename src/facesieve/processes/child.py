"""A child process as its parent sees it: numbered questions out, numbered replies back, over a pipe of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from facesieve.errors import FacesieveError
from facesieve.processes.forkserver import end_forkserver
from facesieve.processes.protocol import READY, Question, Reply

_GONE = 2.0  # seconds in which the fork server says that a killed child has ended
_NOTED = 1000  # milliseconds; a program that ignores SIGCHLD never learns the status
Begin = Callable[..., BaseProcess]  # `forked` or `spawned`: starts a process for a target and its arguments


class ChildDied(Exception):  # noqa: N818 - an outcome that every caller handles
    """The child has ended, or broke the protocol and was killed.

    delivered: False if it ended before it could have read the whole question, so that another child may be asked.
    """

    def __init__(self, delivered: bool = True) -> None:
        super().__init__()
        self.delivered = delivered


class Child:
    """One process and the pipe to it. No other process and no later child ever uses this pipe.

    Not for several threads at once: one owner calls one method at a time. Only `kill` may be called at any time.
    """

    def __init__(self, begin: Begin, target: Callable[..., None], *arguments: Any) -> None:
        """Start a process that runs `target(pipe, *arguments)`. Raises OSError where there is no room for one."""
        self.pipe, theirs = multiprocessing.Pipe()
        try:
            self._process = begin(target, theirs, *arguments)
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
        """Wait until the child can be asked. Raises the FacesieveError that it could not start with, or ChildDied."""
        said = self._received()
        if isinstance(said, FacesieveError):
            raise said
        if said != READY:
            raise self._broken_off()

    def ask(self, value: Any, data: bytes = b"") -> None:
        """Send one question, whose replies must be received before the next. Raises ChildDied."""
        self._number += 1
        self._size = len(data)
        try:
            self.pipe.send(Question(self._number, self._size, value))
            if data:
                self.pipe.send_bytes(data)
        except OSError:
            delivered = False
        except Exception:  # half a question may be in the pipe: this child cannot be asked again
            delivered = True
        else:
            return
        self.kill()
        # Raised out here, because the error above would keep the frames that hold the message.
        raise ChildDied(delivered)

    def receive(self) -> Reply:
        """Wait for the next reply to the question. Raises ChildDied, also when the reply answers another question."""
        said = self._received()
        if not isinstance(said, Reply) or (said.number, said.size) != (self._number, self._size):
            raise self._broken_off()
        return said

    def kill(self) -> None:
        """End the process now, whatever it does. A thread that waits for it in another method gets ChildDied."""
        with contextlib.suppress(ValueError):  # `close` was called
            self._process.kill()

    def close(self) -> None:
        """Kill the process, wait for its end, and return what it held of this process: pipe, descriptors."""
        self.kill()
        self.pipe.close()
        self._process.join(_GONE)
        if self._process.exitcode is None:  # a fork server that is stopped says nothing
            end_forkserver()
            self._process.join()
        for _ in range(_NOTED):  # another thread may have just waited for it, and notes its status now
            if self._process.exitcode is not None:
                self.exit_code = self._process.exitcode
                self._process.close()
                return
            time.sleep(0.001)

    def _received(self) -> Any:
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.kill()
            raise ChildDied from None
        except Exception:  # bytes that are no message: unpickling raises almost anything
            raise self._broken_off() from None

    def _broken_off(self) -> ChildDied:
        self.kill()
        return ChildDied()
