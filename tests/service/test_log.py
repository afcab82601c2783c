"""The log: JSON that machines read, words that people read, and of an error its traceback without any values."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facesieve.service.answers import AnswerOptions
from facesieve.service.line_writer import LineWriter
from facesieve.service.log import Log, listening_to_python
from facesieve.service.worker import Responder
from facesieve.settings import Settings
from facesieve.sieve import Policy


def fail() -> Exception:
    secret = "a-token"
    try:
        raise ValueError(len(secret))
    except ValueError as error:
        return error


class Said:
    """A log in a file, and what it said."""

    def __init__(self, file: Path, *how: str) -> None:
        self.file = file
        self.descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
        self.log = Log(LineWriter(self.descriptor), *how)

    def lines(self) -> list[str]:
        self.log.close()
        return self.file.read_text().splitlines()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Callable[..., Said]]:
    opened: list[Said] = []

    def one(*how: str) -> Said:
        opened.append(Said(tmp_path / "log", *how))
        return opened[-1]

    yield one
    for each in opened:
        each.log.close()
        os.close(each.descriptor)


def test_an_event_is_one_line_of_json(said: Callable[..., Said]) -> None:
    one = said("json")
    one.log.info("request", request_id="one", faces=3, file=Path("a.jpg"))
    one.log.error("failure", exc_info=fail())
    first, second = one.events()
    assert first.pop("time").endswith("Z")
    assert first == {"event": "request", "level": "info", "request_id": "one", "faces": 3, "file": "a.jpg"}
    assert second["exception"].endswith("ValueError: 7")
    assert second["event"] == "failure" and "a-token" not in str(second)


def test_people_read_words_and_a_traceback_without_values(said: Callable[..., Said]) -> None:
    one = said("console")
    one.log.info("request", status=200)
    one.log.error("failure", exc_info=fail())
    lines = one.lines()
    assert "request" in lines[0] and "status=200" in lines[0]
    assert "ValueError: 7" in "".join(lines) and "a-token" not in "".join(lines)


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_less_important_than_the_level_is_not_written(
    said: Callable[..., Said], level: str, written: list[str]
) -> None:
    one = said("json", level)
    for name in ("debug", "info", "warning", "error"):
        getattr(one.log, name)("something")
    assert [event["level"] for event in one.events()] == written
    assert one.log.dropped == 0


def test_what_tornado_and_asyncio_say_comes_in_the_same_form(said: Callable[..., Said]) -> None:
    one, logger = said("json"), logging.getLogger("tornado")
    before = logger.handlers
    with listening_to_python(one.log):
        logging.getLogger("tornado.general").warning("slow %s", "client")
        logging.getLogger("tornado.access").info("not this")
        logging.getLogger("asyncio").error("nobody waits")
    assert logger.handlers is before
    assert [(event["event"], event["level"], event["message"]) for event in one.events()] == [
        ("tornado", "warning", "slow client"),
        ("asyncio", "error", "nobody waits"),
    ]


def test_an_event_that_repeats_is_written_once_in_an_interval_with_the_count_of_the_others(
    said: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("facesieve.service.log.time.monotonic", lambda: now)
    one = said("json")
    for _ in range(1000):
        one.log.seldom("accept_failed", error="Too many open files")
    one.log.seldom("another")
    now = 110.5
    for _ in range(3):
        one.log.seldom("accept_failed", error="Too many open files")
    assert [(event["event"], event.get("left_out")) for event in one.events()] == [
        ("accept_failed", None),
        ("another", None),
        ("accept_failed", 999),
        ("accept_failed", 2),  # told at the end
    ]


def test_a_field_that_cannot_be_written_raises_nothing_and_is_counted(said: Callable[..., Said]) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    one = said("json")
    one.log.info("request", field=Broken())
    one.log.info("request", field="\ud800")
    assert [event["field"] for event in one.events()] == ["\ud800"]
    assert one.log.dropped == 1


def test_what_fails_in_a_worker_is_a_reply_with_its_traceback(monkeypatch: pytest.MonkeyPatch, hopper: Path) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    responder = Responder(Settings(pose="none"))
    monkeypatch.setattr("facesieve.service.worker.reference", broken)
    reply = responder.reply_to(hopper.read_bytes(), AnswerOptions("reference", Policy.preset()))
    assert (reply.refusal, reply.body) == ("internal", b"")
    assert reply.message.startswith("Traceback") and reply.message.rstrip().endswith("ZeroDivisionError")
