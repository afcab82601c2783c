"""A merge into a bucket in its own process: `bucket_merging.py URL FOLDER KILL_AT PART...`.

FOLDER: the working folder. KILL_AT: as in `bucket_building.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))

from bucket_building import LEASE, kill_at_change

from facesieve.errors import FacesieveError
from facesieve.run.merge import merge
from facesieve.settings import Settings


def main(url: str, work: str, kill_at: str, *parts: str) -> int:
    kill_at_change(kill_at)
    try:
        merge(parts, url, work_folder=work, settings=Settings.load(bucket_lease=LEASE, bucket_tries=2))
    except FacesieveError as error:
        print(f"{error.message} [{error.code}]", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
