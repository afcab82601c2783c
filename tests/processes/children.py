"""What child processes of the tests run. In a module of its own, because a child imports it by its name."""

from __future__ import annotations

import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

from facesieve.errors import ModelError
from facesieve.processes.protocol import READY, Question, Reply, Say, serve


def echo(pipe: Connection) -> None:
    """Answers with what it was asked, and says twice before that how many bytes came with it."""

    def answer(value: Any, data: bytes, say: Say) -> Any:
        if value == "fail":
            raise ModelError("model_absent", "Model echo is not here.")
        say(len(data))
        say(len(data))
        return value

    serve(pipe, lambda: answer)


def no_start(pipe: Connection) -> None:
    def prepare() -> Any:
        raise ModelError("model_absent", "Model echo is not here.")

    serve(pipe, prepare)


def wrong(pipe: Connection, kind: str) -> None:
    """Answers the first question well, and every later one as no child should."""
    pipe.send(READY)
    while True:
        question: Question = pipe.recv()
        data = pipe.recv_bytes() if question.size else b""
        if question.number == 1:
            pipe.send(Reply(1, len(data), "well"))
        elif kind == "number":
            pipe.send(Reply(question.number - 1, len(data), "of another client"))
        elif kind == "size":
            pipe.send(Reply(question.number, len(data) + 1, "of another picture"))
        elif kind == "type":
            pipe.send("a word")
        else:
            pipe.send_bytes(b"\x80no pickle")


def modules(pipe: Connection) -> None:
    """What a process has imported when it begins, and whether SIGINT, SIGTERM and SIGHUP are blocked."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    pipe.send((set(sys.modules), {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} <= blocked))


def idle(pipe: Connection) -> None:
    time.sleep(600)
