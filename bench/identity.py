"""Error rates of embeddings, and their cost.

    python bench/identity.py [--people FOLDER] [--strangers FOLDER] [--model dlib-resnet]

PEOPLE has one folder per person; default ../shared/data/lfw_dev. STRANGERS has one picture per person, none of them in
PEOPLE; default ../shared/data/portraits_dev. Of each picture, the face with the largest box counts. Prints

- the area under the curve, and the share of right pairs that are found (TAR) where 1 in 100, 1000 and 10,000 wrong
  pairs is taken for right (FAR), with the distance at which that is so. A pair is a face, and the mean of one, three or
  five faces of a person, the face itself left out;
- CPU milliseconds per face.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facesieve import Pipeline, Settings
from facesieve.identity.embedder import Embedder
from facesieve.models.catalog import entry
from facesieve.models.store import Store
from facesieve.records import Floats, Pixels

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
RATES = (1e-2, 1e-3, 1e-4)
DRAWS = 20  # sets of faces that are drawn for each face, with a fixed seed
SPEED_FACES = 400

Names = npt.NDArray[np.str_]


class Known(NamedTuple):
    """N faces: their vectors (N, 128) and the names of their people (N,)."""

    vectors: Floats
    names: Names


def crops_in(folder: Path, pipeline: Pipeline) -> tuple[Pixels, list[str]]:
    """The crop of the largest face of every picture that has one, and the name of its person."""
    crops, names = [], []
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    for path, record in zip(paths, pipeline.stream(paths), strict=True):
        faces = [face for face in record.faces if face.confidence >= 0.9]
        if faces:
            crops.append(max(faces, key=lambda face: face.box[2] * face.box[3]).crop)
            names.append(path.stem if path.parent == folder else path.parent.name)
    return np.stack(crops), names


def known(crops: Pixels, names: list[str], embedder: Embedder) -> Known:
    found = embedder(crops)
    there = np.array([not why for why in found.missing])
    return Known(found.vectors[there].astype(float), np.array(names)[there])


def distances(faces: Floats, means: Floats, kind: str) -> Floats:
    """(N, M): of every face to every mean."""
    if kind == "cosine":
        unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (faces, means)]
        return 1 - unit[0] @ unit[1].T
    squares = (faces**2).sum(1)[:, None] + (means**2).sum(1) - 2 * faces @ means.T
    return np.sqrt(squares.clip(0))


def pairs(people: Known, strangers: Known, count: int, kind: str) -> tuple[Floats, Floats]:
    """Distances of right and of wrong pairs of a face and the mean of `count` faces of a person."""
    if count == 1:
        everyone = np.concatenate([people.vectors, strangers.vectors])
        names = np.concatenate([people.names, strangers.names])
        first, second = np.triu_indices(len(names), 1)
        apart, same = distances(everyone, everyone, kind)[first, second], names[first] == names[second]
        return apart[same], apart[~same]
    right, wrong = [], []
    for means, owner, left_out in drawn_sets(people, count):
        of_people = distances(people.vectors, means, kind)
        right.append(of_people[left_out])
        wrong += [of_people[people.names != owner].ravel(), distances(strangers.vectors, means, kind).ravel()]
    return np.concatenate(right), np.concatenate(wrong)


def drawn_sets(people: Known, count: int) -> Iterator[tuple[Floats, str, int]]:
    """For each face, yield the means of some drawn sets of other faces of its person, the person, and the face."""
    drawn = np.random.default_rng(0)
    for face, name in enumerate(people.names):
        others = np.flatnonzero((people.names == name) & (np.arange(len(people.names)) != face))
        if len(others) >= count:
            chosen = [drawn.choice(others, count, replace=False) for _ in range(DRAWS)]
            yield np.stack([people.vectors[rows].mean(axis=0) for rows in chosen]), str(name), face


def line(label: str, right: Floats, wrong: Floats) -> None:
    """Print one row of the table."""
    order = np.sort(wrong)
    less, most = (np.searchsorted(order, right, side) for side in ("left", "right"))
    area = 1 - (less + most).mean() / 2 / len(order)
    cells = []
    for rate in RATES:
        if len(order) * rate < 1:
            cells.append(f"{'-':>17}")
            continue
        limit = order[max(int(rate * len(order)) - 1, 0)]
        cells.append(f"{100 * (right < limit).mean():6.1f} % at {limit:.3f}")
    print(f"{label:28} {len(right):7} {len(wrong):8} {area:7.5f}   {'   '.join(cells)}", flush=True)


def cost(crops: Pixels, embedder: Embedder) -> float:
    """CPU milliseconds per face, the best of three rounds."""
    many = np.resize(crops, (SPEED_FACES, *crops.shape[1:]))
    times = []
    for _ in range(3):
        start = time.process_time()
        embedder(many)
        times.append((time.process_time() - start) / len(many) * 1000)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, default=SHARED / "lfw_dev")
    parser.add_argument("--strangers", type=Path, default=SHARED / "portraits_dev")
    parser.add_argument("--model", default="dlib-resnet")
    options = parser.parse_args()
    for folder in (options.people, options.strangers):
        if not folder.is_dir():
            parser.error(f"no folder {folder}: name a folder of pictures")
    settings = Settings.load(identity=options.model, pose="none")
    embedder = Embedder(settings, Store(settings))
    meaning = entry(options.model).embedding
    assert meaning
    pipeline = Pipeline(settings.model_copy(update={"identity": "none"}))
    crops, names = crops_in(options.people, pipeline)
    others, their_names = crops_in(options.strangers, pipeline)
    people, strangers = known(crops, names, embedder), known(others, their_names, embedder)
    print(f"{len(people.names)} faces of {len(set(names))} people, {len(strangers.names)} strangers")
    print(f"{options.model}: {meaning.distance} distance\n")
    columns = "   ".join(f"TAR at FAR {rate:g}".ljust(17) for rate in RATES)
    print(f"{'against':28} {'right':>7} {'wrong':>8} {'AUC':>7}   {columns}")
    for count in (1, 3, 5):
        label = f"{count} face{'s' * (count > 1)} of a person"
        line(label, *pairs(people, strangers, count, meaning.distance))
    print("\nwrong pairs among the people of PEOPLE alone:")
    for count in (1, 3, 5):
        nobody = Known(np.empty((0, people.vectors.shape[1])), np.empty(0, "<U1"))
        line(f"{count} face{'s' * (count > 1)} of a person", *pairs(people, nobody, count, meaning.distance))
    print(f"\n{cost(crops, embedder):.2f} CPU ms per face, batches of {meaning.batch}, threads {settings.threads}")


if __name__ == "__main__":
    main()
