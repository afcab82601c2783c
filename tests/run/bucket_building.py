"""A build into a bucket in its own process: `bucket_building.py PHOTOS URL FOLDER [kill_at] [pause] [workers] [lease]`.

FOLDER: the working folder. kill_at: the process kills itself before it changes the bucket for the n-th time, or before
it first writes an object whose name begins with a text, or deletes one after `-`; 0 for never. pause: seconds that each
picture takes longer. lease: its seconds. Prints `done N` after a picture.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from facesieve.dataset.disk.outputs import Outputs
from facesieve.errors import FacesieveError
from facesieve.run.bucket_dataset import BucketDataset, opened_bucket
from facesieve.run.build import build_dataset
from facesieve.run.build_result import BuildResult
from facesieve.run.progress import Progress
from facesieve.sources.remote.objects import Objects
from handmade import Handmade, build_spec, sources_in

OUTPUTS = Outputs(keep_rejected=True, cuts=("face",), marked=True, tar_bytes=60_000)
LEASE = 600.0  # seconds, so that a busy machine renews it in time


def kill_at_change(kill_at: str) -> None:
    left = int(kill_at) if kill_at.isdecimal() else 0

    def counted(change: Callable[..., Awaitable[Any]], sign: str) -> Callable[..., Awaitable[Any]]:
        async def changed(objects: Objects, name: str, *rest: Any) -> Any:
            nonlocal left
            if not name.endswith("lease.json"):
                left -= 1
                if left == 0 or (kill_at != "0" and f"{sign}{name}".startswith(kill_at)):
                    os.kill(os.getpid(), signal.SIGKILL)
            return await change(objects, name, *rest)

        return changed

    Objects.write = counted(Objects.write, "")  # type: ignore[method-assign]
    Objects.delete = counted(Objects.delete, "-")  # type: ignore[method-assign]


def build_in_bucket(
    folder: Path,
    url: str,
    work: Path,
    watch: Callable[[BucketDataset, Progress], None] = lambda output, progress: None,
    workers: int = 1,
    prune: bool = False,
    announce: Callable[[str], object] = lambda line: None,
    **settings: Any,
) -> BuildResult:
    """Build a folder of pictures into a bucket, as the public function does, with a pipeline without networks."""
    given = {"shard_size": 4, "bucket_lease": LEASE, "bucket_tries": 2, "fetch_tries": 1} | settings
    spec = build_spec(OUTPUTS, workers=workers, **given)
    with opened_bucket(url, spec.settings, announce, work) as output:

        def watched(progress: Progress) -> None:
            output.check()
            watch(output, progress)

        result = build_dataset(
            sources_in(folder),
            output.root,
            Handmade,
            spec,
            watched,
            named=[str(folder)] if prune else (),
            prune=prune,
            beside=output.following,
        )
        output.publish()
    return result


def main(
    folder: str,
    url: str,
    work: str,
    kill_at: str = "0",
    pause: str = "0",
    workers: str = "1",
    lease: str = f"{LEASE}",
) -> int:
    kill_at_change(kill_at)

    def watch(output: BucketDataset, progress: Progress) -> None:
        print("done", progress.done, flush=True)
        time.sleep(float(pause))

    try:
        build_in_bucket(Path(folder), url, Path(work), watch, int(workers), bucket_lease=float(lease))
    except FacesieveError as error:
        print(f"{error.message} [{error.code}]", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
