"""The messages between a parent and its child process, and what runs in the child."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from facesieve.errors import FacesieveError

READY = "ready"
_IDLE_AFTER = 1.0  # seconds without a request, after which the child may return memory


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    number: counted up by the parent. size: how many bytes of data follow in a message of their own; 0 for none.
    """

    number: int
    size: int
    value: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. number, size: those of the request. last: whether this is the final reply to the request.

    value: what the handler returned or sent. A FacesieveError that it raised is such a value, and always the last.
    """

    number: int
    size: int
    value: Any
    last: bool = True


Send = Callable[[Any], None]

# Called with the value of a request, its data, and a function that sends a reply before the last one, from any thread.
# Returns the value of the last reply.
Handler = Callable[[Any, bytes, Send], Any]


def run_child(pipe: Connection, prepare: Callable[[], Handler], on_idle: Callable[[], None] = lambda: None) -> None:
    """What a child process runs: prepare, report that it is ready, then handle requests until the pipe is closed.

    A FacesieveError from `prepare` or from the handler is sent to the parent. Any other exception ends the process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it cannot be blocked
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            handler = prepare()
        except FacesieveError as error:
            pipe.send(error)
            return
        pipe.send(READY)
        while True:
            if not pipe.poll(_IDLE_AFTER):
                on_idle()
            request: Request = pipe.recv()
            data = pipe.recv_bytes() if request.size else b""
            _handle(pipe, request, data, handler)


def _handle(pipe: Connection, request: Request, data: bytes, handler: Handler) -> None:
    lock = threading.Lock()

    def send(value: Any, last: bool = False) -> None:
        with lock:
            pipe.send(Reply(request.number, len(data), value, last))

    try:
        result = handler(request.value, data, send)
    except FacesieveError as error:
        result = error
    send(result, last=True)


def _end_with_parent() -> None:
    """End this process when its parent has ended, even in the middle of a request."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)
