"""Time and memory of the work on a ledger, for ledgers of made-up pictures of any size.

    python bench/scale.py FOLDER --faces 10000 100000 1000000 10000000 [--order mixed]

Makes one dataset per size in FOLDER (2.5 faces per picture, 1 % duplicates, 1 % refused, 10 % of the faces kept with a
crop) and runs each step in a process of its own: merge (ledger to published dataset), inputs (only the list of inputs
for the next step), rebuild (a build with nothing to do), sieve (new verdicts, without -o), explain (one face), report
(writes report.html), join (`facesieve merge` of 8 datasets with the same pictures in all; their crops become links),
compare (like merge, for a ledger with a rule that compares all faces; a fifth of the faces are near-duplicates, and
their crops move) and again (the same once more, when no crop moves). --steps selects some of them.
Prints seconds, CPU seconds and peak resident memory.

--order sorted: parts are in the order of names, as one build writes them. mixed: every part has names from the whole
range.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

SHARD_SIZES = (16, 64, 256)
FACES = (0, 1, 1, 1, 2, 2, 3, 3, 4, 8)  # per picture: 2.5 on average
PER_LABEL = 20
CROP = b"\x89PNG\r\n\x1a\n" + bytes(60) + b"IEND\xaeB`\x82"
STEPS = ("merge", "inputs", "rebuild", "sieve", "explain", "report", "join", "compare", "again")
MAKE_OF = {"join": "make_apart", "compare": "make_compared", "again": "make_compared"}
APART = 8  # datasets that `join` merges


def names_of(numbers: np.ndarray) -> tuple[list[str], list[str], list[str]]:
    """Source, label and fingerprint of pictures by their number."""
    labels = [f"person_{number // PER_LABEL:07d}" for number in numbers]
    pairs = zip(labels, numbers, strict=True)
    sources = [f"photos/{label}/IMG_20240517_{number:08d}.jpg" for label, number in pairs]
    return (
        sources,
        labels,
        [f"{2_000_000 + number}-1717171717{number:09d}@1717171718{number:09d}" for number in numbers],
    )


def identity_of(source: str) -> bytes:
    return f"/data/collections/2026/{source}".encode()


def hex_of(chance: np.random.Generator, count: int, digits: int) -> list[str]:
    text = chance.bytes(count * digits // 2).hex()
    return [text[at : at + digits] for at in range(0, len(text), digits)]


def rows_of(numbers: np.ndarray, measures: tuple[str, ...], seed: int) -> pa.Table:
    """The rows of one part of the ledger."""
    from facesieve.dataset.tables.schema import BOX, CROP_HASH, LANDMARKS, measure_columns, part_schema

    chance = np.random.default_rng(seed)
    schema = part_schema(measures)
    sources, labels, fingerprints = names_of(numbers)
    refused = numbers % 100 == 7
    ids = hex_of(chance, len(numbers), 64)
    for at in np.flatnonzero(numbers % 100 == 8):  # the same bytes as another picture of its label
        ids[at] = f"{numbers[at] // 100:064x}"
    for at in np.flatnonzero(numbers % 100 == 9):
        ids[at] = f"{numbers[at] // 100:064x}"
    each = np.where(refused, 0, np.array(FACES)[numbers % len(FACES)])
    offsets = np.concatenate([[0], np.cumsum(each)]).astype(np.int32)
    count = int(offsets[-1])
    face_ids = hex_of(chance, count, 32)
    kept = chance.random(count) < 0.1
    owner = np.repeat(np.arange(len(numbers)), each)
    reasons = [[] if ok else [("blurred",), ("blurred", "turned"), ("small",)][at % 3] for at, ok in enumerate(kept)]
    files = [f"kept/{labels[owner[at]]}/{face_ids[at]}.png" if ok else None for at, ok in enumerate(kept)]
    columns: dict[str, Any] = {"face_id": face_ids, "kept": kept, "reasons": reasons, "file_name": files}
    for name in (*BOX, *LANDMARKS, *measure_columns(measures)):
        columns[name] = chance.random(count) * 100
    columns[CROP_HASH] = [chance.bytes(32) for _ in range(count)]
    for at in range(1, count, 5):
        columns[CROP_HASH][at] = columns[CROP_HASH][at - 1]
    fields = list(schema.field("faces").type.value_type)
    structs = pa.StructArray.from_arrays([pa.array(columns[field.name], field.type) for field in fields], fields=fields)
    rows = {
        "picture_id": ids,
        "source": sources,
        "label": labels,
        "width": np.full(len(numbers), 1024),
        "height": np.full(len(numbers), 768),
        "format": ["jpeg"] * len(numbers),
        "turn": np.zeros(len(numbers)),
        "refusal": ["truncated" if one else None for one in refused],
        "message": ["The file ends too early." if one else None for one in refused],
        "fingerprint": fingerprints,
        "identity": [identity_of(source) for source in sources],
        "faces": pa.ListArray.from_arrays(pa.array(offsets), structs),
    }
    return pa.table([pa.array(rows[field.name], field.type) for field in schema], schema=schema)


def cut(pictures: int, order: str) -> Iterator[np.ndarray]:
    """The numbers of the pictures in each part."""
    ends = np.cumsum(np.tile(SHARD_SIZES, pictures // sum(SHARD_SIZES) + 1))
    ends = np.append(ends[ends < pictures], pictures)
    starts = np.append(0, ends[:-1])
    numbers = np.arange(pictures)
    if order == "mixed":  # a step without a common factor with the number of pictures visits each once
        step = next(step for step in range(int(pictures * 0.618), pictures) if np.gcd(step, pictures) == 1)
        numbers = numbers * step % pictures
    for start, end in zip(starts, ends, strict=True):
        yield np.sort(numbers[start:end])


def make(root: Path, faces: int, order: str, which: int = 0, of: int = 1, compared: bool = False) -> None:
    """A dataset with a ledger and crops, that was never published.

    of: it has only every n-th of the parts. compared: a rule compares all faces.
    """
    from facesieve.dataset.disk.checksums import checksum_of
    from facesieve.dataset.disk.layout import Layout
    from facesieve.dataset.tables.schema import THUMB_SCHEMA
    from facesieve.run.claim import claim
    from facesieve.run.ledger import Ledger

    os.fsync = lambda descriptor: None  # losing a benchmark's files in a power cut is fine
    layout, spec = Layout(root), spec_of(compared)
    known = frozenset([checksum_of(CROP)])
    thumb = b"\xff\xd8\xff\xd9"
    with claim(layout, spec.origin()):
        for number, numbers in enumerate(cut(faces * 10 // sum(FACES), order)):
            if number % of != which:
                continue
            rows = rows_of(numbers, spec.measures, number)
            faces_of_part = rows["faces"].combine_chunks().flatten()
            files = {name: known for name in faces_of_part.field("file_name").to_pylist() if name}
            for name in files:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(CROP)
            ids = faces_of_part.field("face_id")
            thumbs = pa.table([ids, pa.array([thumb] * len(ids), pa.binary())], schema=THUMB_SCHEMA)
            Ledger(layout).commit(number, rows, thumbs, files)


def make_apart(folder: Path, faces: int, order: str) -> None:
    """Published datasets that have together what `make` makes."""
    for which in range(APART):
        make(folder / f"{which}", faces, order, which, APART)
        merge(folder / f"{which}")


def make_compared(root: Path, faces: int, order: str) -> None:
    """Like `make`, with a rule that compares all faces."""
    make(root, faces, order, compared=True)


def spec_of(compared: bool = False) -> Any:
    from facesieve.dataset.disk.outputs import Outputs
    from facesieve.quality import DATASET_RELATIONS, MEASURES
    from facesieve.run.build_spec import BuildSpec
    from facesieve.settings import Settings
    from facesieve.sieve import Policy

    measures = tuple(measure.name for measure in MEASURES + (DATASET_RELATIONS if compared else ()))
    rules = [{"measure": "rank_among_duplicates", "high": 1}]
    policy = Policy.parse({"name": "compared", "rules": rules}) if compared else Policy.preset()
    return BuildSpec(Settings(workers=1), measures, Outputs(), policy, {}, (), "folder")


def merge(root: Path) -> None:
    from facesieve.dataset.about import read_made
    from facesieve.dataset.disk.layout import Layout
    from facesieve.dataset.tables.resolve import resolve
    from facesieve.run.claim import lock_dataset
    from facesieve.run.ledger import Ledger
    from facesieve.run.publish import publish_ledger
    from facesieve.settings import Settings

    layout = Layout(root)
    ledger = Ledger(layout)
    with lock_dataset(layout), resolve(ledger.tables, layout.scratch) as found:
        publish_ledger(ledger, found, read_made(layout), Settings())


def compare(root: Path) -> None:
    merge(root)


def again(root: Path) -> None:
    merge(root)


def rebuild(root: Path) -> None:
    from facesieve.run.build import build_dataset

    def nothing() -> Any:
        raise AssertionError("there was something to do")

    built = build_dataset(list(sources_of(root)), root, nothing, spec_of())
    assert not built.damaged


def sources_of(root: Path) -> Iterator[Any]:
    """The inputs of a dataset, as a build would find them."""
    from facesieve.records import Source

    pictures = json.loads((root / "dataset.json").read_bytes())["counts"]["pictures"]
    for start in range(0, pictures, 100_000):
        numbers = np.arange(start, min(start + 100_000, pictures))
        for source, label, fingerprint in zip(*names_of(numbers), strict=True):
            yield Source(source, label, Path(source).open, fingerprint, identity=identity_of(source))


def inputs(root: Path) -> None:
    """Make only the list of inputs that `rebuild` is called with."""
    list(sources_of(root))


def sieve(root: Path) -> None:
    from functools import partial

    from facesieve.dataset.manifests import open_manifests
    from facesieve.run.rejudge import rejudge
    from facesieve.sieve import Policy, judge_columns

    rejudge(open_manifests(root), partial(judge_columns, Policy.preset("strict")))


def explain(root: Path) -> None:
    from facesieve.dataset.manifests import open_manifests
    from facesieve.report.explain import explain_face as why

    dataset = open_manifests(root)
    first = next(dataset.face_tables(["face_id"]))["face_id"][0].as_py()
    assert list(why(dataset, first[:12]).lines())


def report(root: Path) -> None:
    from facesieve.run.write_report import write_report

    write_report(root)


def join(folder: Path) -> None:
    from facesieve import merge as merge_datasets

    merge_datasets([folder / f"{which}" for which in range(APART)], folder / "joined")


def run(step: str, root: Path) -> dict[str, float]:
    """Seconds, seconds of CPU and peak of resident memory in MB of a step in a process of its own."""
    command = [sys.executable, __file__, str(root), "--step", step]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--order", choices=["sorted", "mixed"], default="mixed")
    parser.add_argument("--steps", choices=STEPS, nargs="+", default=STEPS)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        started = time.monotonic()
        globals()[chosen.step](chosen.folder)
        used = resource.getrusage(resource.RUSAGE_SELF)
        times = {"seconds": time.monotonic() - started, "cpu": used.ru_utime + used.ru_stime}
        print(json.dumps(times | {"peak_mb": used.ru_maxrss / 1024}))
        return
    print("| faces | step | seconds | CPU seconds | peak, MB |\n|---|---|---|---|---|")
    for faces in chosen.faces:
        for step in chosen.steps:
            make_step = MAKE_OF.get(step, "make")
            root = chosen.folder.resolve() / f"{faces}-{chosen.order}{make_step.removeprefix('make').replace('_', '-')}"
            if not root.exists():
                command = [sys.executable, "-c", MAKE, make_step, str(root), str(faces), chosen.order]
                subprocess.run(command, check=True, cwd=Path(__file__).parent)
            shutil.rmtree(root / "joined", ignore_errors=True)
            figures = run(step, root)
            seconds, cpu, peak = figures["seconds"], figures["cpu"], figures["peak_mb"]
            print(f"| {faces:,} | {step} | {seconds:.1f} | {cpu:.1f} | {peak:.0f} |", flush=True)


MAKE = """
import sys, pathlib, scale
getattr(scale, sys.argv[1])(pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
"""

if __name__ == "__main__":
    main()
