"""The review server as a user starts it: a process of its own, asked over real sockets."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


class Serving:
    """`facesieve review` of a dataset. address: what it prints, with the token."""

    def __init__(self, root: Path, *options: str) -> None:
        self._command = [sys.executable, "-m", "facesieve", "review", str(root), *options]

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        self.address = line.rpartition(": ")[2]
        assert self.address.startswith("http://127.0.0.1:"), line
        parts = urlsplit(self.address)
        self.url, self.token = f"http://{parts.netloc}", parts.fragment.removeprefix("token=")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self._send(urllib.request.Request(self.url + path, headers=headers))

    def ask(self, kind: str, question: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the answer to a question. headers: with the right token, unless they say otherwise."""
        data = question if isinstance(question, bytes) else json.dumps(question or {}).encode()
        headers = {"X-Review-Token": self.token, **{name.replace("_", "-"): value for name, value in headers.items()}}
        status, _, body = self._send(urllib.request.Request(f"{self.url}/api/{kind}", data, headers))
        return status, json.loads(body) if body[:1] == b"{" else body

    def _send(self, request: urllib.request.Request) -> tuple[int, dict[str, str], bytes]:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()
