"""One photo in one process: seconds from its start to the first face, and its peak memory, with pose.

    python bench/alone.py [--data ../shared/data] [--rounds 3] [--setting NAME=VALUE]

A group photo is enlarged to 720p, 1080p and 12 MP, written as JPEG, and processed by the whole pipeline in a new
process each time. Models must be in the cache. The first row is a process that only imports the pipeline, the second
one also creates it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2

from peers import GROUP, HERE, SIZES, enlarged, pixels_of

PEER = {"PYTHONPATH": os.pathsep.join([str(HERE / "peer"), *filter(None, [os.environ.get("PYTHONPATH")])])}
PROGRAM = """
import json, sys, time
steps, file, given = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
from facesieve.pipeline import Pipeline
from facesieve.settings import Settings
faces = ""
if steps != "import":
    pipeline = Pipeline(Settings.load(**given))
if steps == "process":
    faces = len(pipeline.process([file])[0].faces)
from answer import peak
print(json.dumps({"faces": faces, "cpu": time.process_time(), "peak": peak()}))
"""


def once(steps: str, file: Path, given: dict[str, str]) -> dict[str, float]:
    """The report of one process, and its seconds from start to end (`wall`)."""
    start = time.perf_counter()
    command = [sys.executable, "-c", PROGRAM, steps, str(file), json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | PEER)
    found: dict[str, float] = json.loads(done.stdout)
    return found | {"wall": time.perf_counter() - start}


def line(title: str, rounds: list[dict[str, float]]) -> None:
    wall, cpu, peak = (statistics.median(one[key] for one in rounds) for key in ("wall", "cpu", "peak"))
    print(f"| {title} | {wall:.2f} | {cpu:.2f} | {peak:.0f} | {rounds[0].get('faces', '')} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    given = dict(setting.split("=", 1) for setting in arguments.setting)
    wider = arguments.data / "wider_val_dev/images"
    group = pixels_of(next(iter(sorted((wider / GROUP).glob("*.jpg")))))
    print("| what | seconds, start to end | CPU s | peak MB | faces |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="facesieve-alone-") as folder:
        files = {}
        for title, size in SIZES.items():
            files[title] = Path(folder, f"{size[1]}.jpg")
            cv2.imwrite(str(files[title]), cv2.cvtColor(enlarged(group, *size), cv2.COLOR_RGB2BGR))
        rounds = range(arguments.rounds)
        for steps in ("import", "build"):
            line(steps, [once(steps, Path(), given) for _ in rounds])
        for title, file in files.items():
            line(title, [once("process", file, given) for _ in rounds])


if __name__ == "__main__":
    main()
