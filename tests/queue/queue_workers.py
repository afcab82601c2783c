"""Starts queue workers as users do, with the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from pathlib import Path
from typing import Any

from redis import Redis

POISON = Path(__file__).parent / "poison"


class Worker:
    """A running `facesieve work`. deadly: pictures with POISON in their bytes kill its processes."""

    def __init__(self, url: str, *options: str, deadly: bool = False, **environment: str) -> None:
        before = os.environ.get("PYTHONPATH", "")
        added = {"PYTHONPATH": f"{POISON}{os.pathsep}{before}"} if deadly else {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "facesieve", "work", url, *options],
            env=os.environ | added | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self, seconds: float = 120) -> tuple[int, str, str]:
        """Exit status, stdout and stderr, once it has ended by itself."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def stop(self, seconds: float = 60) -> tuple[int, str, str]:
        self.process.send_signal(signal.SIGTERM)
        return self.end(seconds)

    def kill(self) -> None:
        """Kill the worker alone, like the kernel's out-of-memory killer. Its processes end by themselves."""
        self.process.kill()
        self.process.communicate()


def submit(redis: Redis, id: str, picture: bytes | None = None, **job: Any) -> None:
    """Put a job into the default stream, with the bytes of the picture if they are given."""
    inline = {"image_base64": b64encode(picture).decode()} if picture is not None else {}
    redis.xadd("faces:jobs", {"job": json.dumps({"id": id, **inline, **job})})


def results(redis: Redis) -> dict[str, dict[str, Any]]:
    """Results by job id. Fails if a job has two results."""
    return _by_id(redis.xrange("faces:results"))


def take_results(redis: Redis) -> dict[str, dict[str, Any]]:
    """Results by job id, which are deleted. Nothing can arrive between reading and deleting."""
    both = redis.pipeline()
    both.xrange("faces:results")
    both.xtrim("faces:results", maxlen=0, approximate=False)
    return _by_id(both.execute()[0])


def _by_id(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> dict[str, dict[str, Any]]:
    listed = [json.loads(fields[b"result"]) for _, fields in entries]
    twice = [id for id, times in Counter(one["id"] for one in listed).items() if times > 1]
    assert not twice
    return {one["id"]: one for one in listed}


def until(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
