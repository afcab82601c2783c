"""Questions to /v1/sieve: what is off is named and cheap to refuse, and the answer can come from another process."""

from __future__ import annotations

import gc
import json
import pickle
import time
from typing import Any

import pytest
from raw import exchange, post

from facesieve.quality import MEASURES
from facesieve.service.schemas import MAX_ROWS
from facesieve.service.sieve_reply import SieveReply, sieve_answer
from facesieve.sieve import Policy

REFERENCE = Policy.preset()


def asked(value: Any) -> SieveReply:
    return sieve_answer(json.dumps(value).encode(), REFERENCE)


@pytest.mark.parametrize(
    ("value", "where", "what"),
    [
        ([], "", "must be an object"),
        ({}, "measures", "is missing"),
        ({"measures": 3}, "measures", "must be an array"),
        ({"measures": [{}] * (MAX_ROWS + 1)}, "measures", "has too many entries"),
        ({"measures": [3]}, "measures.0", "must be an object"),
        ({"measures": [{"blur": 3}, {"secret": 1}]}, "measures.1.secret", "is not a known measure"),
        ({"measures": [{"blur": "3"}]}, "measures.0.blur", "must be a number"),
        ({"measures": [{"blur": True}]}, "measures.0.blur", "must be a number"),
        ({"measures": [{"blur": 10**400}]}, "measures.0.blur", "must be a number"),
        ({"measures": [], "more": 1}, "more", "is not a known key"),
        ({"measures": [], "policy": 3}, "policy", "must be a string"),
        ({"measures": [], "limits": []}, "limits", "must be an object"),
        ({"measures": [], "limits": {"max_yaw": "3"}}, "limits.max_yaw", "must be a number"),
        ({"measures": [], "limits": {f"max_{n}": 1 for n in range(101)}}, "limits", "has too many entries"),
    ],
)
def test_what_is_off_is_named(value: Any, where: str, what: str) -> None:
    judged = asked(value)
    assert judged.code == "bad_json" and judged.body == b""
    assert judged.details["wrong"][0] == {"where": where, "what": what}


def test_at_most_twenty_places_are_named_and_none_at_length() -> None:
    wrong = asked({"measures": [{f"{n:0500}": 0 for n in range(1000)}]}).details["wrong"]
    assert len(wrong) == 20 and all(len(place["where"]) <= 100 for place in wrong)


def test_measures_are_judged_by_policy_and_limits() -> None:
    row = {measure.name: 0.5 for measure in MEASURES}
    judged = asked({"measures": [row, row | {"blur": None}, {}], "policy": "lenient", "limits": {"min_blur": 1}})
    body = json.loads(judged.answer())
    assert (body["total"], body["policy"]["name"]) == (3, "lenient, adjusted")
    assert "blurred" in body["verdicts"][0]["reasons"] and "not_measured" in body["verdicts"][1]["reasons"]


@pytest.mark.parametrize("value", [{"measures": [{"blur": 1}]}, {"measures": 3}, {"measures": [], "policy": "none"}])
def test_question_and_answer_travel_between_processes(value: Any) -> None:
    judged = asked(value)
    again = pickle.loads(pickle.dumps(judged))
    assert again == judged
    assert pickle.loads(pickle.dumps(REFERENCE)) == REFERENCE


def test_policies_and_limits_that_are_none_are_bad_options() -> None:
    for value in ({"policy": "/etc/passwd.toml"}, {"limits": {"max_nose": 3}}, {"limits": {"max_yaw": -1}}):
        assert asked({"measures": []} | value).code == "bad_option"


@pytest.mark.parametrize(
    "body",
    [
        b'{"measures":[{%s}]}' % b",".join(b'"%05x":0' % n for n in range(90_000)),
        b"{%s}" % b",".join(b'"%05x":0' % n for n in range(90_000)),
        b'{"measures":[%s]}' % b",".join([b'{"a":1}'] * 9_000),
        b'{"measures":[%s]}' % b",".join([b"[]"] * 300_000),
        b'{"measures":[],"limits":{%s}}' % b",".join(b'"%05x":0' % n for n in range(90_000)),
        b"[" * 1_000_000,
    ],
)
def test_a_megabyte_of_what_is_off_costs_no_more_than_reading_it(body: bytes) -> None:
    gc.freeze()  # what other tests left in memory is not looked through for this one
    seconds = []
    for _ in range(3):
        started = time.process_time()
        assert sieve_answer(body, REFERENCE).code == "bad_json"
        seconds.append(time.process_time() - started)
    gc.unfreeze()
    assert min(seconds) < 0.25  # .4 when each key had an error of its own; most of it is making 300,000 lists


def test_ten_thousand_rows_are_answered_and_one_more_is_not(service: Any) -> None:
    for rows, status in ((MAX_ROWS, 200), (MAX_ROWS + 1, 400)):
        [answer] = exchange(service.port, post("/v1/sieve", json.dumps({"measures": [{"blur": 1}] * rows}).encode()))
        assert answer.status == status
