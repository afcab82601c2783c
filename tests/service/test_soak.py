"""Ten thousand mixed requests: memory, descriptors and threads are in the end what they were after warming up."""

from __future__ import annotations

import io
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image


def state(running: Any) -> dict[str, float]:
    service = psutil.Process(running.process.pid)
    memory = sum(process.memory_info().rss for process in [service, *running.workers()])
    return {"memory": memory / 2**20, "descriptors": service.num_fds(), "threads": service.num_threads()}


@pytest.mark.slow
def test_ten_thousand_requests_leave_nothing_behind(start: Any, shared: Path, astronaut: Path) -> None:
    running = start(workers=2, waiting=16, deadline=30)
    small = io.BytesIO()
    Image.open(astronaut).convert("RGB").crop((160, 20, 320, 180)).save(small, "JPEG")
    files = [file for file in sorted((shared / "data/hostile_dev").rglob("*")) if file.is_file()]
    # Files of which many at once would only measure the decoders.
    hostile = [file.read_bytes() for file in files if file.stat().st_size < 200_000 and file.suffix != ".tsv"]
    chance = random.Random(0)

    def one(number: int) -> int:
        photo = chance.choice(hostile) if number % 3 == 0 else small.getvalue()
        answer = running.upload(photo) if number % 2 else running.faces(photo, "?crops=all")
        return int(answer.status_code)

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(one, range(2_000)))
        before = state(running)
        statuses = list(clients.map(one, range(10_000)))
    after = state(running)
    assert not [status for status in statuses if status in (429, 500, 503)]
    assert statuses.count(200) > 6_000
    print(before, after)
    assert after["memory"] <= before["memory"] * 1.02
    assert after["descriptors"] <= before["descriptors"]
    assert after["threads"] <= before["threads"]
