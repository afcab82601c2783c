"""Fixtures for tests of a real service: a process of its own, with real sockets and workers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from running import Running


def portraits(astronaut: Path, side: int) -> bytes:
    """A photo of side x side portraits, which takes a worker some time."""
    one = Image.open(astronaut)
    sheet = Image.new("RGB", (512 * side, 512 * side))
    for place in range(side * side):
        sheet.paste(one, (512 * (place % side), 512 * (place // side)))
    data = io.BytesIO()
    sheet.save(data, "JPEG", quality=50)
    return data.getvalue()


@pytest.fixture(scope="session")
def medium(astronaut: Path) -> bytes:
    return portraits(astronaut, 2)


@pytest.fixture(scope="session")
def large(astronaut: Path) -> bytes:
    return portraits(astronaut, 4)


@pytest.fixture(scope="session")
def huge(astronaut: Path) -> bytes:
    """26 megapixels."""
    return portraits(astronaut, 10)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for all tests that do not change its state."""
    running = Running(tmp_path_factory.mktemp("service"))
    try:
        yield running.wait_ready()
    finally:
        running.end()


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A second shared service, with lower limits on requests."""
    limits = {"formats": ["jpeg", "avif", "heif"], "max_images": 3, "max_held_bytes": 4 * 2**20}
    limits |= {"max_request_bytes": 3 * 2**20, "max_image_bytes": 3 * 2**20}
    running = Running(tmp_path_factory.mktemp("narrow"), **limits)
    try:
        yield running.wait_ready()
    finally:
        running.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """`start(workers=2, waiting=0)` returns a ready service for one test alone."""
    started: list[Running] = []

    def one(ready: bool = True, **settings: Any) -> Running:
        started.append(Running(tmp_path, **settings))
        return started[-1].wait_ready() if ready else started[-1]

    yield one
    for running in started:
        running.end()
