"""Pages of other origins, and whom a request is counted for behind proxies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from raw import logged
from running import Running

from facesieve.service.client import address_of
from facesieve.settings import ServiceSettings

PAGE = "https://tool.example"
QUESTION = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture(scope="module")
def shared_with_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("origins"), allowed_origins=[PAGE], behind_proxy=True)
    yield running.wait_ready()
    running.end()


def test_no_origin_is_allowed_unless_it_is_set(service: Any) -> None:
    answer = requests.options(f"{service.url}/v1/faces", headers=QUESTION | {"Origin": PAGE}, timeout=10)
    assert answer.status_code == 405
    live = requests.get(f"{service.url}/livez", headers={"Origin": PAGE}, timeout=10)
    for headers in (answer.headers, live.headers):
        assert not [name for name in headers if name.lower().startswith("access-control")]


def test_a_browser_that_asks_for_an_allowed_page_is_answered_without_a_token(shared_with_pages: Any) -> None:
    answer = requests.options(
        f"{shared_with_pages.url}/v1/faces?crops=all", headers=QUESTION | {"Origin": PAGE}, timeout=10
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    assert {"Authorization", "X-API-Key", "Content-Type"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_answers_and_errors_may_be_read_by_an_allowed_page(shared_with_pages: Any, hopper: Path) -> None:
    running = shared_with_pages
    answers = [
        running.post("/v1/faces", data=hopper.read_bytes(), headers={"Origin": PAGE}),
        running.post("/v1/faces", data=b"nothing", headers={"Origin": PAGE}),
        requests.post(f"{running.url}/v1/faces", headers={"Origin": PAGE}, timeout=10),
        requests.request("BREW", f"{running.url}/upload", headers={"Origin": PAGE}, timeout=10),
        requests.get(f"{running.url}/nowhere", headers={"Origin": PAGE}, timeout=10),
    ]
    assert [answer.status_code for answer in answers] == [200, 415, 401, 405, 404]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]


def test_other_origins_and_plain_options_are_refused(shared_with_pages: Any) -> None:
    for headers in ({"Origin": "https://evil.example"} | QUESTION, {"Origin": PAGE}, {}):
        answer = requests.options(f"{shared_with_pages.url}/v1/faces", headers=headers, timeout=10)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    answer = requests.options(f"{shared_with_pages.url}/nowhere", headers=QUESTION | {"Origin": PAGE}, timeout=10)
    assert answer.status_code == 404


def test_an_address_in_a_header_is_not_believed_unless_it_is_set(service: Any, shared_with_pages: Any) -> None:
    for running, expected in ((service, "127.0.0.1"), (shared_with_pages, "9.9.9.9")):
        headers = {"X-Real-IP": "6.6.6.6", "X-Forwarded-For": "1.1.1.1, 9.9.9.9", "X-Request-ID": "whose"}
        requests.get(f"{running.url}/nowhere", headers=headers, timeout=10)
        assert [line["client"] for line in logged(running, "whose")] == [expected]


@pytest.mark.parametrize(
    ("given", "headers", "expected"),
    [
        ({}, {"x-forwarded-for": "1.1.1.1"}, "10.0.0.7"),
        ({"behind_proxy": True}, {"x-forwarded-for": "1.1.1.1, 2.2.2.2"}, "2.2.2.2"),
        ({"behind_proxy": True}, {"x-real-ip": "1.1.1.1"}, "10.0.0.7"),
        ({"behind_proxy": True, "client_header": "x-real-ip"}, {"x-real-ip": "1.1.1.1"}, "1.1.1.1"),
        ({"behind_proxy": True, "client_header": "x-real-ip"}, {"x-forwarded-for": "1.1.1.1"}, "10.0.0.7"),
        ({"behind_proxy": True, "proxies": 2}, {"x-forwarded-for": "6.6.6.6, 1.1.1.1, 2.2.2.2"}, "1.1.1.1"),
        ({"behind_proxy": True, "proxies": 2}, {"x-forwarded-for": "2.2.2.2"}, "10.0.0.7"),
        ({"behind_proxy": True, "trusted_proxies": ["10.0.0.0/8"]}, {"x-forwarded-for": "1.1.1.1"}, "1.1.1.1"),
        ({"behind_proxy": True, "trusted_proxies": ["10.1.0.0/16"]}, {"x-forwarded-for": "1.1.1.1"}, "10.0.0.7"),
        ({"behind_proxy": True}, {"x-forwarded-for": "1.1.1.1:4711"}, "1.1.1.1"),
        ({"behind_proxy": True}, {"x-forwarded-for": "[2001:db8::1]:4711"}, "2001:db8::1"),
        ({"behind_proxy": True}, {"x-forwarded-for": "2001:db8::1"}, "2001:db8::1"),
        ({"behind_proxy": True}, {"x-forwarded-for": "::ffff:1.1.1.1"}, "1.1.1.1"),
        ({"behind_proxy": True}, {"x-forwarded-for": "unknown"}, "10.0.0.7"),
        ({"behind_proxy": True}, {"x-forwarded-for": "<script>"}, "10.0.0.7"),
        ({"behind_proxy": True}, {"x-forwarded-for": ""}, "10.0.0.7"),
        ({"behind_proxy": True}, {"x-forwarded-for": "9" * 5000}, "10.0.0.7"),
        ({"behind_proxy": True}, {}, "10.0.0.7"),
    ],
)
def test_the_client_is_whom_the_settings_say(given: dict[str, Any], headers: dict[str, str], expected: str) -> None:
    assert address_of(headers, "10.0.0.7", ServiceSettings(**given)) == expected
