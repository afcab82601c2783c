"""One child and its pipe: real processes that reply, break the protocol, or die."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from children import echo, no_start, wrong

from facesieve.errors import FacesieveError, ModelError
from facesieve.processes.child import Child, ChildDied
from facesieve.processes.forkserver import spawned


@pytest.fixture
def child() -> Any:
    started: list[Child] = []

    def start(target: Callable[..., None], *arguments: Any) -> Child:
        started.append(Child(spawned, target, *arguments))
        return started[-1]

    yield start
    for one in started:
        try:
            one.close()
        except ValueError:
            continue  # closed by the test


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_child_answers_question_after_question_with_any_number_of_replies(child: Any) -> None:
    one = child(echo)
    one.wait_ready()
    for value, data in (("first", b""), ("second", b"x" * 3_000_000)):
        one.send(value, data)
        replies = [one.receive() for _ in range(3)]
        assert [(reply.value, reply.last) for reply in replies] == [
            (len(data), False),
            (len(data), False),
            (value, True),
        ]


def test_an_error_raised_on_purpose_is_a_reply_and_the_child_goes_on(child: Any) -> None:
    one = child(echo)
    one.wait_ready()
    one.send("fail")
    error = one.receive().value
    assert isinstance(error, FacesieveError) and error.code == "model_absent"
    one.send("next")
    assert one.receive().value == 0


def test_the_error_that_a_child_cannot_start_with_is_raised(child: Any) -> None:
    with pytest.raises(ModelError, match="Model echo is not here"):
        child(no_start).wait_ready()


@pytest.mark.parametrize("kind", ["number", "size", "type", "bytes"])
def test_a_reply_that_does_not_fit_the_question_is_dropped_and_the_child_killed(child: Any, kind: str) -> None:
    one = child(wrong, kind)
    one.wait_ready()
    one.send("first", b"abc")
    assert one.receive().value == "well"
    one.send("second", b"abc")
    with pytest.raises(ChildDied):
        one.receive()
    pid = one.pid
    one.close()
    assert not alive(pid)


def test_a_child_that_died_idle_did_not_get_the_question(child: Any) -> None:
    one = child(echo)
    one.wait_ready()
    os.kill(one.pid, signal.SIGKILL)
    while alive(one.pid):
        time.sleep(0.01)
    with pytest.raises(ChildDied) as caught:
        one.send("anyone?", b"x" * 3_000_000)
    assert not caught.value.delivered
    assert caught.value.__context__ is None, "it would keep the frames that hold the message"


def test_killing_a_stopped_child_frees_the_thread_that_waits_for_it(child: Any) -> None:
    one = child(echo)
    one.wait_ready()
    os.kill(one.pid, signal.SIGSTOP)
    outcome: list[type] = []

    def wait() -> None:
        try:
            one.send("anyone?", b"x" * 3_000_000)
        except ChildDied as death:
            outcome.append(type(death))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    assert thread.is_alive(), "the pipe is full"
    one.kill()
    thread.join(10)
    assert outcome == [ChildDied]


def test_closing_returns_every_descriptor(child: Any) -> None:
    me = psutil.Process()
    child(echo).close()
    before = me.num_fds()
    for _ in range(3):
        one = child(echo)
        one.wait_ready()
        one.close()
    assert me.num_fds() == before
