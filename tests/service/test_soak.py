"""Ten thousand mixed requests: memory, descriptors and threads are in the end what they were after warming up."""

from __future__ import annotations

import io
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest
from PIL import Image

WARM_UP, REQUESTS, STEP, CLIENTS = 2_000, 10_000, 500, 4
AT_REST = 1.5  # seconds: a worker gives memory back when it has had nothing to do for one


class Mix:
    """Requests by number, the same in every run: a third hostile, the others faces and groups, by all routes."""

    def __init__(self, running: Any, shared: Path, *portraits: Path) -> None:
        self.running = running
        files = [file for file in sorted((shared / "data/hostile_dev").rglob("*")) if file.is_file()]
        # Files of which many at once would only measure the decoders.
        self.hostile = [file.read_bytes() for file in files if file.stat().st_size < 200_000 and file.suffix != ".tsv"]
        groups = sorted((shared / "data/wider_val_dev").rglob("*.jpg"))[::16]
        self.photos = [face_of(portrait) for portrait in portraits] * 54 + [file.read_bytes() for file in groups]

    def ask(self, number: int) -> int:
        chance = random.Random(number)
        photo = chance.choice(self.hostile if number % 3 == 0 else self.photos)
        match number % 8:
            case 0:
                answer = self.running.upload(photo, chance.choice(self.hostile), path="/uploads")
            case 1:
                answer = self.running.post("/v1/sieve", json={"measures": [{"blur": 1.0 * number}]})
            case 2 | 4:
                answer = self.running.faces(photo, "?crops=all&marked=1")
            case 6:
                answer = self.running.faces(photo, f"?pose={number // 8 % 2}&max_yaw={number % 90}")
            case _:
                answer = self.running.upload(photo)
        return int(answer.status_code)


def face_of(portrait: Path) -> bytes:
    """A small photo: it is the number that counts."""
    data = io.BytesIO()
    Image.open(portrait).convert("RGB").crop((150, 20, 330, 200)).save(data, "JPEG")
    return data.getvalue()


def state(running: Any) -> dict[str, float]:
    """Memory in MB, at work and at rest; descriptors and threads."""
    service = psutil.Process(running.process.pid)
    at_work = memory(service)
    time.sleep(AT_REST)
    return {
        "at_work": at_work,
        "at_rest": memory(service),
        "descriptors": service.num_fds(),
        "threads": service.num_threads(),
    }


def memory(service: psutil.Process) -> float:
    return sum(process.memory_info().rss for process in [service, *service.children(recursive=True)]) / 2**20


@pytest.mark.slow
def test_ten_thousand_requests_leave_nothing_behind(start: Any, shared: Path, astronaut: Path, hopper: Path) -> None:
    running = start(workers=2, waiting=16, deadline=30)
    mix = Mix(running, shared, astronaut, hopper)
    statuses: Counter[int] = Counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(mix.ask, range(WARM_UP)))
        states = [state(running)]
        for first in range(WARM_UP, WARM_UP + REQUESTS, STEP):
            statuses.update(clients.map(mix.ask, range(first, first + STEP)))
            states.append(state(running))
            print(first + STEP, {name: round(value, 1) for name, value in states[-1].items()}, flush=True)
    before, after = states[0], states[-1]
    print(before, statuses)
    assert sum(statuses.values()) == REQUESTS
    assert statuses[200] > REQUESTS * 0.6
    assert not set(statuses) & {429, 500, 503}
    assert not running.events("failure")
    assert running.gauge("facesieve_workers_replaced_total") == 0
    # What the allocator has in pieces comes and goes by some megabytes.
    first, last = (median(one["at_rest"] for one in some) for some in (states[:3], states[-3:]))
    assert last <= first * 1.02
    assert after["descriptors"] <= before["descriptors"]
    assert after["threads"] <= before["threads"]
    assert running.gauge("facesieve_held_bytes") == 0
