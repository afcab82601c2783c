"""Objects per second that are listed and fetched from a folder of a bucket, by one process.

    python bench/buckets.py s3://bucket/folder/ [--rounds 2] [--connections 64]

Nothing is decoded. Prints CPU milliseconds per object beside the rates, and the most memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

from facesieve.records import Source
from facesieve.settings import Settings
from facesieve.sources import find_sources
from facesieve.sources.remote.prefetch import UrlPrefetch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=64)
    given = parser.parse_args()
    settings = Settings(fetch_connections=given.connections)
    for _ in range(given.rounds):
        sources = timed("listed", lambda: find_sources([given.folder], settings).sources)
        timed("fetched", lambda found=sources: [len(read(source)) for source in UrlPrefetch(settings)(found)])
    print(f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def read(source: Source) -> bytes:
    assert source.open
    with source.open() as stream:
        return stream.read()


def timed(what: str, work: Callable[[], list[Any]]) -> list[Any]:
    begun, used = time.perf_counter(), time.process_time()
    done = work()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    rate, each = len(done) / seconds, 1000 * cpu / len(done)
    print(f"{what}: {len(done)} in {seconds:.2f} s, {rate:.0f} per second, {each:.2f} CPU ms each")
    return done


if __name__ == "__main__":
    main()
