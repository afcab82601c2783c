"""Starts a real service in a process of its own, and sends it requests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import requests

TOKEN = "a-token-for-tests"


class Running:
    """A service that is started by `facesieve serve`, with settings from the environment.

    stderr: where its log goes instead of to a file. before: called in the new process before the service starts.
    """

    def __init__(
        self, folder: Path, stderr: int | None = None, before: Callable[[], None] | None = None, **settings: Any
    ) -> None:
        self.log_file = folder / f"service-{time.monotonic_ns()}.log"
        given = {"tokens": [TOKEN], "port": 0, "workers": 1} | settings
        environment = {
            f"FACESIEVE_SERVICE_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in given.items()
            if value is not None
        }
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "facesieve", "serve"],
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=log if stderr is None else stderr,
                preexec_fn=before,
                text=True,
            )
        assert self.process.stdout is not None
        self.said: list[str] = []
        for line in self.process.stdout:
            self.said.append(line.strip())
            if "listening on" in line:
                break
        else:
            raise AssertionError(self.log_file.read_text())
        self.url = self.said[-1].split()[-1]
        self.port = int(self.url.rpartition(":")[2])
        self.headers = {"Authorization": TOKEN}

    def wait_ready(self, seconds: float = 60) -> Running:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if requests.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                return self
            time.sleep(0.05)
        raise AssertionError(self.log_file.read_text())

    def post(self, path: str, **how: Any) -> requests.Response:
        return requests.post(self.url + path, headers=self.headers | how.pop("headers", {}), timeout=60, **how)

    def upload(self, *images: bytes, path: str = "/upload") -> requests.Response:
        return self.post(path, files=[("image", (f"{i}.jpg", image, "image/jpeg")) for i, image in enumerate(images)])

    def faces(self, image: bytes, query: str = "") -> requests.Response:
        return self.post(f"/v1/faces{query}", data=image)

    def events(self, event: str, at_least: int = 0) -> list[dict[str, Any]]:
        """The log lines of an event. Waits for `at_least` of them, because a line may come after the answer."""
        until = time.monotonic() + 5
        while True:
            # Text after the last line break is a line that is being written.
            lines = [line for line in self.log_file.read_text().split("\n")[:-1] if line.startswith("{")]
            found = [entry for entry in map(json.loads, lines) if entry["event"] == event]
            if len(found) >= at_least or time.monotonic() > until:
                return found
            time.sleep(0.02)

    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        return [child for child in psutil.Process(self.process.pid).children() if holds_pipeline(child)]

    def gauge(self, name: str) -> float:
        text = requests.get(f"{self.url}/metrics", timeout=5).text
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    def stop(self, seconds: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def end(self) -> None:
        """Kill the service. How it stops on SIGTERM is tested in `test_lifecycle`."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def holds_pipeline(process: psutil.Process) -> bool:
    """Whether a process is a worker that is alive."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has ended
        return False


def until(true: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until a function returns something true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
