"""A build in its own process: `python building.py PHOTOS DATASET [kill_at] [pause] [workers] [pipeline] [form] [at]`.

kill_at: the process kills itself, as a power cut would, when it syncs for the n-th time; 0 for never.
pause: seconds that each picture takes longer, so that a test has time for a signal. Prints `done N` after a picture.
pipeline: Handmade; Raising, which raises an error for one picture; or Hashed, with a rule that compares all faces.
form: of the crops, files or shards. at: the pause comes only after this many pictures; 0 for after each.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dangerous import Raising

from facesieve.dataset.disk.outputs import Outputs
from facesieve.errors import FacesieveError
from facesieve.run.build import build_dataset
from facesieve.run.progress import Progress
from handmade import Handmade, Hashed, build_spec, compared_spec, sources_in

TAR_BYTES = {"files": None, "shards": 60_000}
PIPELINES = {"Handmade": Handmade, "Raising": Raising, "Hashed": Hashed}


class KillingSync:
    """An fsync that kills the process at its n-th call. It does not sync: a killed process loses no bytes."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def __call__(self, descriptor: int) -> None:
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(
    folder: str,
    dataset: str,
    kill_at: str = "0",
    pause: str = "0",
    workers: str = "1",
    pipeline: str = "Handmade",
    form: str = "files",
    at: str = "0",
) -> int:
    os.fsync = KillingSync(int(kill_at))

    def watch(progress: Progress) -> None:
        print("done", progress.done, flush=True)
        if int(at) in (0, progress.done):
            time.sleep(float(pause))

    compared = pipeline == "Hashed"
    everything = Outputs(keep_rejected=not compared, cuts=("face",), marked=not compared, tar_bytes=TAR_BYTES[form])
    try:
        spec = (compared_spec if compared else build_spec)(everything, shard_size=4, workers=int(workers))
        build_dataset(sources_in(Path(folder)), Path(dataset), PIPELINES[pipeline], spec, watch)
    except FacesieveError as error:
        print(error.code, error.message, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
