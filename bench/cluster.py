"""Builds in a local Ray cluster against builds in the local pool, with the same number of workers.

    python bench/cluster.py [FOLDER] [--photos 200] [--rounds 2] [--workers 2]

Each round runs both builds, one after the other, each as `facesieve build` in its own process. A build reports when
its first picture and its last one were done. The ratio of pictures per second between these two moments is the
overhead of Ray; the time before the first picture holds Ray's start. FOLDER has photos; without it, portraits are cut
from one picture, so that all files differ.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2

PROGRAM = """
import sys, time
from pathlib import Path
import facesieve
begun, seen = float(sys.argv[1]), []
def watch(progress):
    seen.append((time.time() - begun, progress.done))
if __name__ == "__main__":
    facesieve.build(sys.argv[4:], sys.argv[2], settings=facesieve.Settings.load(workers=int(sys.argv[3].split(",")[0])),
                    on=sys.argv[3].split(",")[1] or None, watch=watch)
    first = next(one for one in seen if one[1])
    last = seen[-1]
    print(first[0], last[0], last[1] - first[1], time.time() - begun)
"""


def portraits(folder: Path, count: int) -> Path:
    """Different pictures of one face."""
    import skimage

    pixels = cv2.imread(str(Path(skimage.__file__).parent / "data" / "astronaut.png"))
    for index in range(count):
        cut = pixels[index % 37 : 380 + index % 41, 60 + index % 29 : 440 - index % 31]
        cv2.imwrite(str(folder / f"{index:04}.jpg"), cut, [cv2.IMWRITE_JPEG_QUALITY, 80 + index % 11])
    return folder


def once(files: list[str], out: Path, workers: int, on: str) -> dict[str, float]:
    """Seconds to the first picture, from there to the last, in all until the process has ended; pictures per second."""
    begun = time.time()
    command = [sys.executable, "-c", PROGRAM, str(begun), str(out), f"{workers},{on}", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, last, pictures, _ = map(float, done.stdout.split()[-4:])
    return {"first": first, "rate": pictures / (last - first), "all": time.time() - begun}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "photos").mkdir()
        photos = arguments.folder or portraits(place / "photos", arguments.photos)
        files = sorted(str(path) for path in photos.rglob("*") if path.is_file())[: arguments.photos]
        found: dict[str, list[dict[str, float]]] = {"pool": [], "ray": []}
        for number in range(arguments.rounds):
            for name, on in (("pool", ""), ("ray", "ray")):
                found[name].append(once(files, place / f"{name}{number}", arguments.workers, on))
                one = found[name][-1]
                print(
                    f"round {number} {name:4}: first picture {one['first']:5.1f} s, {one['rate']:6.2f} pictures/s, "
                    f"whole build {one['all']:6.1f} s",
                    flush=True,
                )
        ratio = statistics.median(
            pool["rate"] / ray["rate"] for pool, ray in zip(found["pool"], found["ray"], strict=True)
        )
        later = statistics.median(
            ray["first"] - pool["first"] for pool, ray in zip(found["pool"], found["ray"], strict=True)
        )
        print(
            f"{len(files)} photos, {arguments.workers} workers, load {os.getloadavg()[0]:.1f}: the pool is {ratio:.2f} "
            f"times as fast as Ray; Ray's first picture is {later:.1f} s later (medians of {arguments.rounds} rounds)"
        )


if __name__ == "__main__":
    main()
