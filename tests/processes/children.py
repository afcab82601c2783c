"""Functions that child processes of tests run, in a module that a child can import."""

from __future__ import annotations

import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

from facesieve.errors import ModelError
from facesieve.processes.protocol import READY, Reply, Request, Send, run_child


def echo(pipe: Connection) -> None:
    """Replies twice with the number of bytes of the request, and then with its value."""

    def answer(value: Any, data: bytes, send: Send) -> Any:
        if value == "fail":
            raise ModelError("model_absent", "Model echo is not here.")
        send(len(data))
        send(len(data))
        return value

    run_child(pipe, lambda: answer)


def no_start(pipe: Connection) -> None:
    def prepare() -> Any:
        raise ModelError("model_absent", "Model echo is not here.")

    run_child(pipe, prepare)


def wrong(pipe: Connection, kind: str) -> None:
    """Answers the first request correctly, and every later one against the protocol."""
    pipe.send(READY)
    while True:
        request: Request = pipe.recv()
        data = pipe.recv_bytes() if request.size else b""
        if request.number == 1:
            pipe.send(Reply(1, len(data), "well"))
        elif kind == "number":
            pipe.send(Reply(request.number - 1, len(data), "of another client"))
        elif kind == "size":
            pipe.send(Reply(request.number, len(data) + 1, "of another picture"))
        elif kind == "type":
            pipe.send("a word")
        else:
            pipe.send_bytes(b"\x80no pickle")


def modules(pipe: Connection) -> None:
    """Sends the names of the modules that the process has imported, and whether its stop signals are blocked."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    pipe.send((set(sys.modules), {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} <= blocked))


def idle(pipe: Connection) -> None:
    time.sleep(600)
