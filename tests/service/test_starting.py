"""What is wrong with the settings of the service is told in one sentence with exit status 2, or it works."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

Run = Callable[..., tuple[int, str, str]]


def refused(run: Run, *arguments: object) -> str:
    """The one sentence with which `facesieve serve` ends."""
    status, out, said = run("serve", *arguments)
    assert (status, out, said.count("\n")) == (2, "", 1), said
    assert said.startswith("error: ") and said.endswith("]\n")
    return said


WRONG = {
    "FACESIEVE_SERVICE_PORTT=3": ["FACESIEVE_SERVICE_PORTT is not a setting; did you mean FACESIEVE_SERVICE_PORT?"],
    "FACESIEVE_SERVICE_TOKEN=abc": ["did you mean FACESIEVE_SERVICE_TOKENS?"],
    "FACESIEVE_SERVICE_COLOUR=red": ["FACESIEVE_SERVICE_COLOUR is not a setting."],
    "FACESIEVE_WORKRES=3": ["FACESIEVE_WORKRES is not a setting; did you mean FACESIEVE_WORKERS?"],
    "FACESIEVE_PORT=80": ["did you mean FACESIEVE_SERVICE_PORT?"],
    "FACESIEVE_SERVICE_PORT=": ["FACESIEVE_SERVICE_PORT is empty"],
    "FACESIEVE_SERVICE_PORT=web": ["'port' (FACESIEVE_SERVICE_PORT)", "valid integer"],
    "FACESIEVE_SERVICE_PORT=70000": ["'port'", "65535"],
    "FACESIEVE_SERVICE_DEADLINE=inf": ["'deadline'", "finite"],
    "FACESIEVE_SERVICE_TOKENS=": ["FACESIEVE_SERVICE_TOKENS is empty"],
    'FACESIEVE_SERVICE_TOKENS=["\\ud800"]': ["no encoding can carry"],
    "FACESIEVE_SERVICE_TOKENS=null": ["the word null"],
    "FACESIEVE_SERVICE_TOKENS=SHA256:12": ["64 hex digits"],
    'FACESIEVE_SERVICE_TOKENS=[""]': ["A token is empty"],
    "FACESIEVE_SERVICE_TOKENS=abc,": ["A token is empty"],
    'FACESIEVE_SERVICE_TOKENS=["abc"': ["FACESIEVE_SERVICE_TOKENS begins like JSON"],
    'FACESIEVE_SERVICE_TOKENS={"a": "b"}': ["'tokens'", "tuple"],
    "FACESIEVE_SERVICE_TOKENS=[1]": ["'tokens'", "string"],
    "FACESIEVE_SERVICE_TOKENS=" + "[" * 100_000: ["FACESIEVE_SERVICE_TOKENS begins like JSON"],
    "FACESIEVE_SERVICE_TOKENS=Bearer abc": ["begins with the word Bearer"],
    "FACESIEVE_SERVICE_TOKENS=sha256:12": ["64 hex digits"],
    "FACESIEVE_SERVICE_FORMATS=jpg": ["'formats'", "'jpg' is not a format", "jpeg, png"],
    "FACESIEVE_SERVICE_FORMATS=jpeg,": ["'formats'"],
    "FACESIEVE_SERVICE_FORMATS=[]": ["'formats'", "empty"],
    "FACESIEVE_SERVICE_MAX_HELD_BYTES=1000000": ["'max_held_bytes'", "max_request_bytes needs 89478486"],
    "FACESIEVE_SERVICE_MAX_IMAGE_BYTES=100000000": ["'max_image_bytes'", "above max_request_bytes (67108864)"],
    "FACESIEVE_SERVICE_ALLOWED_ORIGINS=tool.example": ["'tool.example' is not an origin", "https://tool.example"],
    "FACESIEVE_SERVICE_TRUSTED_PROXIES=10.0.0.0/8": ["'trusted_proxies'", "no effect without behind_proxy"],
    "FACESIEVE_SERVICE_LOG_LEVEL=loud": ["'log_level'", "'warning'"],
    "FACESIEVE_SERVICE_ADDRESS=": ["FACESIEVE_SERVICE_ADDRESS is empty"],
}


@pytest.mark.parametrize("variable", WRONG, ids=lambda variable: variable[:40])
def test_a_variable_that_is_wrong_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    name, _, value = variable.partition("=")
    monkeypatch.setenv(name, value)
    said = refused(run, "--port", "0") if name != "FACESIEVE_SERVICE_PORT" else refused(run)
    assert all(part in said for part in WRONG[variable]), said
    assert "abc" not in said  # no part of a token is printed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[service]\nporrt = 3\n", "unknown setting 'porrt' in the table [service]; did you mean port?"),
        ("[servce]\nport = 3\n", "unknown setting 'servce'; did you mean service?"),
        ("port = 3\n", "unknown setting 'port'; it belongs in the table [service]."),
        ("colour = 3\n", "unknown setting 'colour'."),
        ("service = 3\n", "service must be a table, written [service]."),
        ("[[service]]\nport = 3\n", "service must be a table, written [service]."),
        ("[service]\ntokens = 3\n", "'tokens'"),
        ("[service]\ndeadline = nan\n", "'deadline'"),
        ("[service\n", "is not TOML"),
        ("\ufeff[service]\nport = -1\n", "'port'"),
    ],
)
def test_a_settings_file_that_is_wrong_is_told(run: Run, tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8")
    said = refused(run, "--settings", file)
    assert told in said and str(file) in said


@pytest.mark.parametrize("data", [b"\xff\xfe[\0", b"caf\xe9 = 1\n", b"\0" * 10, b"[" * 100_000])
def test_a_settings_file_that_is_no_text_is_told(run: Run, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(data)
    assert "is not TOML" in refused(run, "--settings", file)
    assert "This is a folder" in refused(run, "--settings", tmp_path)


@pytest.mark.parametrize(
    "address",
    ["nowhere.invalid", "127.0.0.1:80", "http://127.0.0.1", "a..b", "x" * 300, "192.0.2.1", "a b", "1.2.3.4.5", "[::1"],
)
def test_an_address_that_cannot_be_had_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("FACESIEVE_SERVICE_TOKENS", "abc")
    said = refused(run, "--address", address, "--port", "0")
    assert f"Cannot listen on {address}:0: " in said and "[no_address]" in said


def test_a_port_that_is_in_use_is_told(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Cannot listen on 127.0.0.1:{port}: Address already in use" in refused(run, "--port", port)


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"a\0b\0", b"\xff\xfea", b"x" * 2_000_000])
def test_a_token_file_without_tokens_is_told(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content)
    assert str(file) in refused(run, "--token-file", file, "--port", "0")
    assert "Is a directory" in refused(run, "--token-file", tmp_path, "--port", "0")


def test_variables_of_others_are_left_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the example clients, of other programs, and of Kubernetes beside a Service `facesieve`."""
    for name in ("TOKEN", "URL", "BACKUP_BUCKET"):
        monkeypatch.setenv(f"FACESIEVE_{name}", "x")
    monkeypatch.setenv("FACESIEVE_SERVICE_WAITING", "3")
    assert run("settings")[0] == run("settings", "--service")[0] == 0
    linked = {"PORT": "tcp://10.0.0.1:80", "SERVICE_HOST": "10.0.0.1", "PORT_80_TCP_ADDR": "10.0.0.1"}
    for name, value in (linked | {"SERVICE_PORT_HTTP": "80"}).items():
        monkeypatch.setenv(f"FACESIEVE_{name}", value)
    assert run("settings")[0] == run("settings", "--service")[0] == 0


@pytest.mark.parametrize(
    "written", ["abc", " abc ", "abc,def", "abc\ndef\n", '["abc"]', '"abc"', "'[\"abc\"]'", "'abc'"]
)
def test_tokens_may_be_written_plainly_or_as_json(run: Run, monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    from facesieve.settings import ServiceSettings

    monkeypatch.setenv("FACESIEVE_SERVICE_TOKENS", written)
    monkeypatch.setenv("FACESIEVE_SERVICE_FORMATS", "png, jpeg")
    settings = ServiceSettings.load()
    assert settings.tokens == (("abc", "def") if "def" in written else ("abc",))
    assert settings.formats == ("png", "jpeg")


def test_one_token_in_a_settings_file_needs_no_brackets(tmp_path: Path) -> None:
    from facesieve.settings import ServiceSettings

    file = tmp_path / "settings.toml"
    file.write_text('[service]\ntokens = "a,b"\n')
    assert ServiceSettings.load(file).tokens == ("a,b",)


def test_a_plain_token_of_the_environment_is_accepted_by_the_service(start: Any) -> None:
    running = start(tokens="a-token-for-tests")
    assert running.post("/v1/sieve", json={"measures": []}).status_code == 200


@pytest.mark.parametrize(
    "saved",
    [b"caf\xe9-\x80\r\n", "café-€\n".encode("utf-8-sig"), "café-€\r\n".encode("utf-16"), "# ü\ncafé-€".encode()],
    ids=["windows-1252", "utf-8 with a mark", "utf-16", "utf-8"],
)
def test_a_token_beyond_ascii_is_accepted_however_it_was_saved_and_is_sent(
    start: Any, tmp_path: Path, saved: bytes
) -> None:
    (tmp_path / "tokens").write_bytes(saved)
    running = start(tokens=None, token_file=str(tmp_path / "tokens"))

    def status(header: bytes) -> int:
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
            head = b"POST /v1/sieve HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\nConnection: close\r\n"
            connection.sendall(head + header + b'\r\n\r\n{"measures":[]}')
            return int(connection.recv(4096).split()[1])

    for token in ("café-€".encode(), b"caf\xe9-\x80"):  # as curl sends it, and as programs on Windows do
        assert status(b"Authorization: " + token) == 200
        assert status(b"Authorization: Bearer " + token) == 200
        assert status(b"X-API-Key: " + token) == 200
    for token in (b"caf", b"cafe-", "café".encode(), "café-€é".encode()):
        assert status(b"Authorization: " + token) == 403


def test_no_traceback_where_the_address_is_taken_between_two_services(service: Any) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "facesieve", "serve", "--port", str(service.port)],
        env=os.environ | {"FACESIEVE_SERVICE_TOKENS": "abc"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "[no_address]" in ended.stderr
    assert requests.get(f"{service.url}/livez", timeout=5).status_code == 200


def test_the_settings_of_the_service_are_listed_and_tokens_are_not_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facesieve.settings import ServiceSettings

    monkeypatch.setenv("FACESIEVE_SERVICE_TOKENS", "secret-1,secret-2")
    monkeypatch.setenv("FACESIEVE_SERVICE_WAITING", "3")
    status, out, _ = run("settings", "--service")
    assert status == 0
    for name, field in ServiceSettings.model_fields.items():
        assert f"# {field.description}\n# FACESIEVE_SERVICE_{name.upper()}\n" in out
    assert "# default: 64\nwaiting = 3\n" in out
    assert "# tokens: set, not shown\n" in out and "secret" not in out
    assert "secret" not in run("settings", "--service", "--json")[1]
