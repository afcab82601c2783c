"""Time and memory of `facesieve review` over a dataset of made-up faces: what the page waits for.

    python bench/review.py FOLDER --faces 1000000

Makes a dataset in FOLDER once, and asks a session as the page does. Prints the median of 9 questions of each kind, in
milliseconds: counts (one limit moved), filter (a window of the faces that a moved range selects), sort (by a measure
for the first time, and again), histograms (of five measures), face (the detail of one face, and again) and decide (one
decision, durable). Prints the seconds to load it, and the memory that it takes.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "review")]
TRIES = 9


def milliseconds(ask: Callable[[int], object], tries: int = TRIES) -> float:
    """The median time of a question. ask: called with numbers from 0, so that no answer is known already."""
    times = []
    for number in range(tries):
        start = time.perf_counter()
        ask(number)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def resident() -> float:
    """The resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    from many import NAMES, many

    from facesieve.dataset.tables.decisions import Effect
    from facesieve.review.query import Query
    from facesieve.review.session import Session
    from facesieve.settings import Settings

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=int, default=1_000_000)
    asked = parser.parse_args()
    root = asked.folder / f"{asked.faces}"
    if not root.exists():
        making = get_context("spawn").Process(target=many, args=(root, asked.faces), kwargs={"thumbs": False})
        making.start()  # in a process of its own, whose memory is not counted
        making.join()
    before = resident()
    start = time.perf_counter()
    session = Session(root, Settings())
    print(f"load {time.perf_counter() - start:.1f} s")
    session.counts({})
    print(f"memory with 3 measures {resident() - before:.0f} MB")
    rows = np.random.default_rng(0).integers(0, asked.faces, TRIES).tolist()
    ranges = [{"blur": (float(number), 50.0)} for number in range(TRIES)]
    questions: dict[str, Callable[[int], object]] = {
        "counts": lambda n: session.counts({"blur": (30.5 + n, None)}),
        "filter": lambda n: session.window(Query(ranges=ranges[n]), {}, 0, 500),
        "sort, first": lambda n: session.window(Query(sort=NAMES[6 + n]), {}, 0, 500),
        "sort, again": lambda n: session.window(Query(sort=NAMES[14], ranges=ranges[n]), {}, 0, 500),
        "histograms": lambda n: session.histograms(["confidence", "blur", "yaw", "pitch", "roll"], Query(), {}),
        "face": lambda n: session.face(rows[n], {}),
        "decide": lambda n: session.decide([(rows[n], Effect("keep"), 0)], "", ""),
    }
    for name, ask in questions.items():
        print(f"{name:<12} {milliseconds(ask):8.1f} ms")
    print(f"memory at the end {resident() - before:.0f} MB")
    (root / "decisions.parquet").unlink()


if __name__ == "__main__":
    main()
