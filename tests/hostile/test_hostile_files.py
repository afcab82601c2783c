"""Every hostile file ends as a photo or a code, in bounded time and memory, in a process that lives on."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from facesieve.decode import RefusalCode

MOST_CPU = 30  # seconds for one file; the slowest one takes less than 1 second

CHILD = f"""
import json, os, resource, sys, time
from facesieve.decode import decode_one
from facesieve.settings import Settings
from facesieve.sources import as_sources
for path in sys.stdin.read().splitlines():
    if os.fork() == 0:
        resource.setrlimit(resource.RLIMIT_CPU, ({MOST_CPU}, {MOST_CPU}))  # kills a decoder that never ends
        source = as_sources([path])[0]
        began = time.process_time()
        answer = decode_one(source, Settings())
        took = time.process_time() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        code = getattr(answer, "code", "photo")
        print(json.dumps([path, code, answer.width, answer.height, took, peak]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, path
"""

# Pillow opens these, and they are refused: damaged streams that Pillow refuses too once their pixels are asked for,
# and formats that are not ours.
DIFFERENT = {
    "broken_data_stream.png": "corrupt",
    "truncated_end_chunk.png": "truncated",
    "hopper_unexpected.ico": "unsupported_format",
    "hopper.fli": "not_an_image",
    "psd-oob-write-overflow.psd": "unsupported_format",
}


@pytest.fixture(scope="module")
def hostile(shared: Path) -> Path:
    return shared / "data" / "hostile_dev"


@pytest.fixture(scope="module")
def answers(hostile: Path) -> dict[str, tuple[str, int, int, float, int]]:
    files = sorted(str(file) for file in hostile.rglob("*") if file.is_file() and file.name != "INDEX.tsv")
    run = subprocess.run(
        [sys.executable, "-c", CHILD], input="\n".join(files), capture_output=True, text=True, timeout=900, check=True
    )
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert [row[0] for row in rows] == files
    assert "Warning" not in run.stderr
    assert "Traceback" not in run.stderr
    return {Path(row[0]).name: tuple(row[1:]) for row in rows}


def test_every_hostile_file_is_a_photo_or_a_code(answers: dict[str, tuple[str, int, int, float, int]]) -> None:
    assert len(answers) == 275
    assert {answer[0] for answer in answers.values()} <= {"photo", *RefusalCode}


def test_none_hangs_or_eats_memory(answers: dict[str, tuple[str, int, int, float, int]]) -> None:
    assert max(answer[3] for answer in answers.values()) < 5
    assert max(answer[4] for answer in answers.values()) < 1024


def test_what_pillow_reads_is_a_photo_of_the_same_size(
    hostile: Path, answers: dict[str, tuple[str, int, int, float, int]]
) -> None:
    with (hostile / "INDEX.tsv").open(encoding="utf-8", newline="") as index:
        rows = [row for row in csv.DictReader(index, delimiter="\t") if row["pillow_13.0.0"] == "ok"]
    differing = {row["file"]: answers[row["file"]][0] for row in rows if answers[row["file"]][0] != "photo"}
    older_libtiff = {"crash-0da013a13571cc8eb457a39fee8db18f8a3c7127.tif": "corrupt"}
    assert differing in (DIFFERENT, DIFFERENT | older_libtiff)
    for row in rows:
        if row["file"] not in differing:
            size = [int(side) for side in row["pil_size"].split("x")]
            assert sorted(answers[row["file"]][1:3]) == sorted(size), row["file"]


def test_one_scene_stored_in_every_orientation_looks_the_same(hostile: Path) -> None:
    from facesieve.decode import decode
    from facesieve.settings import Settings
    from facesieve.sources import as_sources

    for scene in ("Landscape_[1-8]", "Portrait_[0-8]"):
        decoded = decode(as_sources(sorted(hostile.rglob(f"{scene}.jpg"))), Settings())
        assert len(decoded.photos) == len(decoded.results)
        thumbnails = [photo.pixels[::8, ::8].astype(int) for photo in decoded.photos]
        assert all(abs(other - thumbnails[0]).mean() < 6 for other in thumbnails[1:])
