"""What parent and child say to each other, and the child's side of it."""

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
_AT_REST = 1.0  # seconds without a question after which the child may return memory


@dataclass(frozen=True, slots=True)
class Question:
    """number: counted up by the parent. size: bytes of data that follow as a message of their own, if any."""

    number: int
    size: int
    value: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """number and size: those of the question. last: True for the final reply to the question.

    value: what the child answers. An error that it raised on purpose is such a value, and always the last.
    """

    number: int
    size: int
    value: Any
    last: bool = True


Say = Callable[[Any], None]

# Called with the question's value, its data, and a function that sends a reply before the last, from any thread.
# Returns the last reply.
Answer = Callable[[Any, bytes, Say], Any]


def serve(pipe: Connection, prepare: Callable[[], Answer], at_rest: Callable[[], None] = lambda: None) -> None:
    """The life of a child: prepare, say so, then answer one question after another until the parent closes the pipe.

    A FacesieveError of `prepare` or of an answer goes to the parent. Any other exception ends the process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it cannot be blocked
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            answer = prepare()
        except FacesieveError as error:
            pipe.send(error)
            return
        pipe.send(READY)
        while True:
            if not pipe.poll(_AT_REST):
                at_rest()
            question: Question = pipe.recv()
            data = pipe.recv_bytes() if question.size else b""
            _reply(pipe, question, data, answer)


def _reply(pipe: Connection, question: Question, data: bytes, answer: Answer) -> None:
    turn = threading.Lock()

    def say(value: Any, last: bool = False) -> None:
        with turn:
            pipe.send(Reply(question.number, len(data), value, last))

    try:
        final = answer(question.value, data, say)
    except FacesieveError as error:
        final = error
    say(final, last=True)


def _end_with_the_parent() -> None:
    """A child whose parent is gone must not go on working, even in the middle of a question."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)
