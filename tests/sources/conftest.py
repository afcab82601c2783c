"""A host that S3 is expected at, for tests of buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from picture_host import Answer, Host, host


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, credentials: None) -> Iterator[Callable[[Answer], Host]]:
    """Starts a host that S3 is expected at."""
    with ExitStack() as open_hosts:

        def start(answer: Answer) -> Host:
            running = open_hosts.enter_context(host(answer))
            monkeypatch.setenv("AWS_ENDPOINT_URL", running.url(""))
            return running

        yield start
