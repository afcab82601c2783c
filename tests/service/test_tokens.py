"""Tokens: several, hashed, from a file; made when none is set; and never beyond loopback without one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import requests

from facesieve.errors import SettingsError, UsageError
from facesieve.service.tokens import Tokens, tokens_of
from facesieve.settings import ServiceSettings


def test_several_tokens_plain_and_hashed_are_accepted_and_no_digest_is_a_token() -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    tokens = Tokens(["plain", f"sha256:{digest}"])
    assert tokens.accept("plain") and tokens.accept("secret")
    refused = ["", "plai", "plain ", digest, f"sha256:{digest}", "Plain"]
    assert [tokens.accept(token) for token in refused] == [False] * len(refused)
    assert not Tokens([]).accept("")


def test_a_token_file_has_one_a_line_and_comments(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# of the cameras\none\n\n two \n")
    tokens, made = tokens_of(ServiceSettings(token_file=file, tokens=("three",)))
    assert [tokens.accept(token) for token in ("one", "two", "three", "# of the cameras")] == [True, True, True, False]
    assert made == ""


def test_a_token_file_that_says_nothing_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    with pytest.raises(SettingsError, match="Cannot read token file"):
        tokens_of(ServiceSettings(token_file=file))
    file.write_text("# nothing\n")
    with pytest.raises(SettingsError, match="holds no token"):
        tokens_of(ServiceSettings(token_file=file))
    with pytest.raises(SettingsError, match="64 hex digits"):
        Tokens(["sha256:abc"])


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_beyond_loopback_a_token_must_be_set(address: str) -> None:
    with pytest.raises(UsageError, match="set a token first"):
        tokens_of(ServiceSettings(address=address))
    assert tokens_of(ServiceSettings(address=address, tokens=("one",)))[1] == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_on_loopback_one_is_made_that_is_new_each_time(address: str) -> None:
    tokens, made = tokens_of(ServiceSettings(address=address))
    assert tokens.accept(made) and len(made) >= 24
    assert tokens_of(ServiceSettings(address=address))[1] != made


def test_the_made_token_is_shown_once_and_is_not_in_the_log(start: Any) -> None:
    running = start(tokens=None)
    [line] = [line for line in running.said if "token" in line.lower()]
    token = line.split()[-1]
    answer = requests.post(f"{running.url}/v1/sieve", json={"measures": []}, headers={"X-API-Key": token}, timeout=10)
    assert answer.status_code == 200
    assert token not in running.log_file.read_text()


def test_metrics_ask_for_a_token_when_set_to(start: Any) -> None:
    running = start(open_metrics=False, ready=False)
    assert requests.get(f"{running.url}/metrics", timeout=10).status_code == 401
    answer = requests.get(f"{running.url}/metrics", headers=running.headers, timeout=10)
    assert answer.status_code == 200 and "facesieve_working" in answer.text
