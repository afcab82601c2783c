"""A build into a bucket in its own process: `python bucket_building.py PHOTOS URL FOLDER [kill_at] [pause] [workers]`.

FOLDER: the working folder. kill_at: the process kills itself before it changes the bucket for the n-th time; 0 for
never. pause: seconds that each picture takes longer. Prints `done N` after a picture.
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
from facesieve.run.build import build
from facesieve.run.mirrored import mirrored
from facesieve.run.progress import Progress
from facesieve.sources.remote.objects import Objects
from handmade import Handmade, build_spec, sources_in

OUTPUTS = Outputs(keep_rejected=True, cuts=("face",), marked=True, tar_bytes=60_000)
LEASE = 5.0  # seconds


def kill_at_change(number: int) -> None:
    left = number

    def counted(change: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def changed(objects: Objects, name: str, *rest: Any) -> Any:
            nonlocal left
            if not name.endswith("lease.json"):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return await change(objects, name, *rest)

        return changed

    Objects.write, Objects.delete = counted(Objects.write), counted(Objects.delete)  # type: ignore[method-assign]


def main(folder: str, url: str, work: str, kill_at: str = "0", pause: str = "0", workers: str = "1") -> int:
    kill_at_change(int(kill_at))

    def watch(progress: Progress) -> None:
        output.check()
        print("done", progress.done, flush=True)
        time.sleep(float(pause))

    spec = build_spec(OUTPUTS, shard_size=4, workers=int(workers), bucket_lease=LEASE, bucket_tries=2, fetch_tries=1)
    try:
        with mirrored(url, spec.settings, print, Path(work)) as output:
            build(sources_in(Path(folder)), output.root, Handmade, spec, watch, beside=output.following)
            output.publish()
    except FacesieveError as error:
        print(f"{error.message} [{error.code}]", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
