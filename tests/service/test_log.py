"""The log: JSON that machines read, words that people read, and of an error its traceback without any values."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from facesieve.service.answers import Wish
from facesieve.service.journal import journal, listen_to_tornado
from facesieve.service.worker import Replies
from facesieve.settings import Settings
from facesieve.sieve import Policy


def fail() -> Exception:
    secret = "a-token"
    try:
        raise ValueError(len(secret))
    except ValueError as error:
        return error


@pytest.fixture
def tornado() -> Iterator[logging.Logger]:
    logger = logging.getLogger("tornado")
    before = logger.handlers, logger.level, logger.propagate
    yield logger
    logger.handlers, logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def test_an_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    log = journal("json")
    log.info("request", request_id="one", faces=3, file=Path("a.jpg"))
    log.error("failure", exc_info=fail())
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {"event": "request", "level": "info", "request_id": "one", "faces": 3, "file": "a.jpg"}
    assert second["exception"].endswith("ValueError: 7")
    assert second["event"] == "failure" and "a-token" not in str(second)


def test_people_read_words_and_a_traceback_without_values(capsys: pytest.CaptureFixture[str]) -> None:
    log = journal("console")
    log.info("request", status=200)
    log.error("failure", exc_info=fail())
    said = capsys.readouterr().err
    assert "request" in said.splitlines()[0] and "status=200" in said.splitlines()[0]
    assert "ValueError: 7" in said and "a-token" not in said


def test_what_tornado_says_comes_in_the_same_form(tornado: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    listen_to_tornado(journal("json"))
    logging.getLogger("tornado.general").warning("slow %s", "client")
    logging.getLogger("tornado.access").info("not this")
    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["message"]) == ("tornado", "warning", "slow client")


def test_what_fails_in_a_worker_is_a_reply_with_its_traceback(monkeypatch: pytest.MonkeyPatch, hopper: Path) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    replies = Replies(Settings(pose="none"))
    monkeypatch.setattr("facesieve.service.worker.reference", broken)
    reply = replies.of(hopper.read_bytes(), Wish("reference", Policy.preset()))
    assert (reply.refusal, reply.body) == ("internal", b"")
    assert reply.message.startswith("Traceback") and reply.message.rstrip().endswith("ZeroDivisionError")
