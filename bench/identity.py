"""Error rates of embeddings, what the relations of labels find, and their cost.

    python bench/identity.py [rates|bystanders|planted|edits|million|all] [--people FOLDER] [--strangers FOLDER]
                             [--others FOLDER] [--model dlib-resnet]

PEOPLE has one folder per person; default ../shared/data/lfw_dev. STRANGERS has one picture per person, none of them in
PEOPLE; default ../shared/data/portraits_dev. OTHERS has pictures of yet other people; default
../shared/data/aflw2000_dev. Of each picture, the face with the largest box counts.

rates       the area under the curve, and the share of right pairs that are found (TAR) where 1 in 100, 1000 and 10,000
            wrong pairs is taken for right (FAR), with the distance at which that is so. A pair is a face, and the mean
            of one, three or five faces of a person, the face itself left out; and CPU milliseconds per face
bystanders  builds PEOPLE with the preset `gallery`, and counts the faces that it keeps although they are not the person
            in the middle of the photo
planted     wrong labels, labels of two people, people with two labels, and leaks: what share of planted ones is found,
            and of the others suspected
edits       12 edits of 100 photos: what share is found as near-duplicates, and how many different photos of one person
            are called so
million     time and memory of all relations among 1,000,000 synthetic faces under 20,000 labels
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

import facesieve
from edits import EDITS
from facesieve import Pipeline, Policy, Settings
from facesieve.dataset.tables.face_row import FaceRow
from facesieve.identity.embedder import Embedder
from facesieve.models.catalog import Embedding, Limits, entry
from facesieve.models.store import Store
from facesieve.quality import mirrored_bits
from facesieve.records import Floats, Indices, Mask, Pixels
from facesieve.relate import Embedded, Space, find_duplicates
from facesieve.run.face_columns import space_of
from planted.labels import Faces, million, planted

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
RATES = (1e-2, 1e-3, 1e-4)
DRAWS = 20  # sets of faces that are drawn for each face, with a fixed seed
SPEED_FACES = 400

Names = npt.NDArray[np.str_]


class Known(NamedTuple):
    """N faces: their vectors (N, 128) and the names of their people (N,)."""

    vectors: Floats
    names: Names


def pictures_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))


def crops_in(folder: Path, pipeline: Pipeline) -> tuple[Pixels, list[str]]:
    """The crop of the largest face of every picture that has one, and the name of its person."""
    crops, names = [], []
    paths = pictures_in(folder)
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


def rates(people: Known, strangers: Known, model: str) -> None:
    """Print the error rates."""
    kind = meaning_of(model).distance
    print(f"{len(people.names)} faces of {len(set(people.names))} people, {len(strangers.names)} strangers")
    print(f"{model}: {kind} distance\n")
    columns = "   ".join(f"TAR at FAR {rate:g}".ljust(17) for rate in RATES)
    print(f"{'against':28} {'right':>7} {'wrong':>8} {'AUC':>7}   {columns}")
    for count in (1, 3, 5):
        label = f"{count} face{'s' * (count > 1)} of a person"
        line(label, *pairs(people, strangers, count, kind))
    print("\nwrong pairs among the people of PEOPLE alone:")
    for count in (1, 3, 5):
        nobody = Known(np.empty((0, people.vectors.shape[1])), np.empty(0, "<U1"))
        line(f"{count} face{'s' * (count > 1)} of a person", *pairs(people, nobody, count, kind))


def bystanders(folder: Path, model: str) -> None:
    """Build a folder of people, and print how many faces are kept that are not the person in the middle."""
    for policy in ("lenient", "gallery"):
        with tempfile.TemporaryDirectory() as root:
            settings = Settings.load(identity=model)
            facesieve.build(folder, root, settings=settings, policy=Policy.preset(policy), label_from="folder")
            dataset = facesieve.open_dataset(root)
            kept = [row for row in dataset.faces.to_pylist() if row["kept"]]
            sizes = {row["source"]: (row["width"], row["height"]) for row in dataset.pictures.to_pylist()}
            middle = {name: central(dataset.faces_of(name), *size) for name, size in sizes.items() if size[0]}
            other = sum(row["face_id"] != middle[row["source"]] for row in kept)
        print(f"{policy}: {dataset.about.counts.line()}")
        print(f"    {other} of {len(kept)} kept faces are not the person in the middle of the photo", flush=True)


def central(faces: list[FaceRow], width: int, height: int) -> str:
    """The id of the face that is nearest to the middle of a picture."""

    def away(face: FaceRow) -> float:
        x, y, w, h = face.box
        return (x + w / 2 - width / 2) ** 2 + (y + h / 2 - height / 2) ** 2

    return min(faces, key=away).face_id if faces else ""


def edits(photos: list[Path], pipeline: Pipeline, embedder: Embedder) -> tuple[list[Edited], list[Edited]]:
    """The main face of each photo, and of each edit of it."""
    originals, edited = [], []
    for number, path in enumerate(photos):
        picture = cv2.imread(str(path))
        if (own := edited_face(picture, number, "", pipeline, embedder)) is None:
            continue
        originals.append(own)
        found = (edited_face(edit(picture), number, name, pipeline, embedder) for name, edit in EDITS.items())
        edited += [one for one in found if one is not None]
    return originals, edited


class Edited(NamedTuple):
    """A face. photo: the number of its photo. edit: its name, or "". hash_: 32 bytes. vector: (128,)."""

    photo: int
    edit: str
    hash_: bytes
    vector: Floats


def edited_face(picture: Pixels, photo: int, edit: str, pipeline: Pipeline, embedder: Embedder) -> Edited | None:
    [record] = pipeline.process(np.ascontiguousarray(picture[..., ::-1]))
    faces = [face for face in record.faces if face.confidence >= 0.9 and face.crop_hash]
    if not faces:
        return None
    face = max(faces, key=lambda face: face.measures["prominence"])
    return Edited(photo, edit, face.crop_hash, embedder(face.crop[np.newaxis]).vectors[0])


def duplicates(
    originals: list[Edited], edited: list[Edited], people: dict[int, str], space: Space, limits: Limits
) -> None:
    """Print what share of the edits is found. people: the person of each photo."""
    faces = [*originals, *edited]
    hashes = np.frombuffer(b"".join(face.hash_ for face in faces), np.uint8).reshape(-1, 32)
    embedded = Embedded(np.stack([face.vector for face in faces]), space, limits.twin, limits.twin_bits)
    names = sorted(set(people.values()))
    label = np.array([names.index(people[face.photo]) for face in faces])
    fitness = np.repeat([90.0, 50.0], [len(originals), len(edited)])
    for what, codes in (("in one label", label), ("across labels", np.full(len(faces), -1))):
        for how, vectors in (("hashes", None), ("hashes and embeddings", embedded)):
            search = (hashes, mirrored_bits(), codes, fitness, np.ones(len(faces), bool), vectors)
            found = find_duplicates(*search).rank_among_duplicates[len(originals) :] > 1
            print(f"{what}, {how}: {found.mean():.1%} of {len(edited)} edits found")
    for name in EDITS:
        print(f"    {name}: {found[[face.edit == name for face in edited]].mean():.1%}")
    same = [(a, b) for a, b in combinations(originals, 2) if people[a.photo] == people[b.photo]]
    near = [
        pair
        for pair in same
        if find_duplicates(
            *_pair(*pair), Embedded(np.stack([one.vector for one in pair]), space, limits.twin, limits.twin_bits)
        ).twin[0]
        >= 0
    ]
    print(f"different photos of one person called duplicates: {len(near)} of {len(same)}, {len(near) / len(same):.2%}")


def _pair(one: Edited, other: Edited) -> tuple[Pixels, Pixels, Indices, Floats, Mask]:
    """Two faces of one label, as `find_duplicates` takes them."""
    hashes = np.frombuffer(one.hash_ + other.hash_, np.uint8).reshape(2, 32)
    return hashes, mirrored_bits(), np.zeros(2, np.intp), np.array([2.0, 1.0]), np.ones(2, bool)


def meaning_of(model: str) -> Embedding:
    meaning = entry(model).embedding
    assert meaning
    return meaning


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("rates", "bystanders", "planted", "edits", "million", "all")
    parser.add_argument("what", choices=parts, nargs="?", default="rates")
    parser.add_argument("--people", type=Path, default=SHARED / "lfw_dev")
    parser.add_argument("--strangers", type=Path, default=SHARED / "portraits_dev")
    parser.add_argument("--others", type=Path, default=SHARED / "aflw2000_dev")
    parser.add_argument("--model", default="dlib-resnet")
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=20_000)
    options = parser.parse_args()
    for folder in (options.people, options.strangers):
        if options.what != "million" and not folder.is_dir():
            parser.error(f"no folder {folder}: name a folder of pictures")
    asked = set(parts if options.what == "all" else [options.what])
    space, limits = space_of(options.model)
    if "million" in asked:
        million(space, limits, options.faces, options.labels)
    if "bystanders" in asked:
        bystanders(options.people, options.model)
    if asked & {"rates", "planted", "edits"}:
        of_photos(asked, options, space, limits)


def of_photos(asked: set[str], options: argparse.Namespace, space: Space, limits: Limits) -> None:
    """The parts that need the faces of all photos."""
    settings = Settings.load(identity=options.model, pose="none")
    embedder = Embedder(settings, Store(settings))
    pipeline = Pipeline(settings.model_copy(update={"identity": "none"}))
    crops, names = crops_in(options.people, pipeline)
    others, their_names = crops_in(options.strangers, pipeline)
    people, strangers = known(crops, names, embedder), known(others, their_names, embedder)
    if "rates" in asked:
        rates(people, strangers, options.model)
        batch = meaning_of(options.model).batch
        print(f"\n{cost(crops, embedder):.2f} CPU ms per face, batches of {batch}, threads {settings.threads}")
    if not asked & {"planted", "edits"}:
        return
    photos = [*pictures_in(options.people), *pictures_in(options.strangers)[::3]]
    originals, edited = edits(photos, pipeline, embedder)
    if "edits" in asked:
        person = {at: path.parent.name if at < len(names) else path.stem for at, path in enumerate(photos)}
        duplicates(originals, edited, person, space, limits)
    if "planted" in asked:
        yet_others = known(*crops_in(options.others, pipeline), embedder)
        everyone = np.concatenate([people.vectors, strangers.vectors]).astype(np.float16)
        _, numbers = np.unique(people.names, return_inverse=True)
        many = int(numbers.max()) + 1
        person = np.concatenate([numbers, many + np.arange(len(strangers.names))])
        copies = np.stack([face.vector for face in edited]).astype(np.float16)
        faces = Faces(everyone, person, many, space, limits)
        planted(faces, copies, yet_others.vectors.astype(np.float16))


if __name__ == "__main__":
    main()
