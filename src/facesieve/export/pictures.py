"""The pictures of a batch, encoded in threads: the encoders of OpenCV do not hold Python's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

import pyarrow as pa

from facesieve.export.crops import read_crops
from facesieve.export.plan import Plan
from facesieve.export.realign import realigned

Given = TypeVar("Given")
Made = TypeVar("Made")
_AT_ONCE = 128  # crops that a thread reads in a row; one by one, handing them over would take longer than reading
_AHEAD = 64  # pictures that are read and encoded before they are asked for


def pictures(rows: pa.Table, plan: Plan, pool: Executor) -> Iterator[bytes]:
    """Yield the picture file of each row, in order."""
    if not plan.kind.pictures:
        return
    if plan.size != plan.dataset.about.origin.settings["crop_size"]:
        yield from map_in_order(pool, plan.image.encoded, realigned(rows, plan.dataset, plan.size, plan.folder))
    elif plan.image.lossless:
        parts = (rows.slice(start, _AT_ONCE) for start in range(0, len(rows), _AT_ONCE))
        for some in map_in_order(pool, lambda part: list(read_crops(plan.dataset, part)), parts, 2):
            yield from some
    else:
        yield from map_in_order(pool, plan.image.of_png, read_crops(plan.dataset, rows))


def map_in_order(
    pool: Executor, work: Callable[[Given], Made], given: Iterable[Given], ahead: int = _AHEAD
) -> Iterator[Made]:
    """Yield `work` of each value, in order, at most `ahead` values in advance."""
    waiting = deque[Future[Made]]()
    try:
        for one in given:
            waiting.append(pool.submit(work, one))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
