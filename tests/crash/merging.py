"""A merge in its own process: `python merging.py DATASET KILL_AT COPY PART...`.

KILL_AT: the process kills itself, as a power cut would, when it syncs for the n-th time; 0 for never.
COPY: 1 copies the picture files, as on another disk; 0 links them. Prints how often it has synced.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from building import KillingSync

from facesieve.errors import FacesieveError
from facesieve.run.merge import merge


def no_links(*paths: object) -> None:
    raise OSError(18, "Invalid cross-device link")


def main(dataset: str, kill_at: str, copy: str, *parts: str) -> int:
    os.fsync = killing = KillingSync(int(kill_at))
    if copy == "1":
        os.link = no_links  # type: ignore[assignment]
    try:
        merge(parts, dataset)
    except FacesieveError as error:
        print(error.code, error.message, file=sys.stderr)
        return error.exit_status
    print(int(kill_at) - killing.calls)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
