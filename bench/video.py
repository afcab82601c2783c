"""Clips: purity of tracks, fragments, best shots, and what decoding and tracking cost.

    python bench/video.py FOLDER... [--strangers FOLDER] [--clips 4] [--seconds 30] [--identity dlib-resnet]
        [--every] [--speed]

FOLDER: of one person each, with several photos whose face is in the middle. --strangers: a folder of such photos, each
of another person. Clips of them are composed (`composed.py`): people walk, cross, cover each other, leave and return,
with cuts between scenes. A track is impure if it has faces of two people. A person who leaves and returns, or who is
seen before and after a cut, appears several times.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from composed import Composition, composed, known, read
from facesieve import Face, Pipeline, Policy, Settings
from facesieve.decode import decode_each
from facesieve.sources import as_sources
from facesieve.tracking import ClipFaces, judge_clip

OWNED = 0.7  # share of a box that one walk must own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path, nargs="+")
    parser.add_argument("--strangers", type=Path)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--identity", default="none")
    parser.add_argument("--every", action="store_true", help="compare best shots with the faces of every frame")
    parser.add_argument("--speed", action="store_true", help="only measure the time, at 1280 x 720")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.speed:
            _speed(composed(known(arguments.people), arguments.seconds, 0), Path(folder))
            return
        pipeline = Pipeline(Settings.load(min_face_size=40, identity=arguments.identity), Policy.preset("footage"))
        results = list(_measured(arguments, pipeline, Path(folder)))
        _print(results)


@dataclass(frozen=True)
class Result:
    """One clip. tracks, impure: how many. fragments: tracks of each appearance. people: tracks of each person.

    kept: kept faces of each appearance that has a face fit to be kept. missing: people with such a face and none kept.
    best: fitness of the best shot of each appearance, divided by that of its fittest face in the sampled frames, or in
    every frame.
    """

    tracks: int
    impure: int
    fragments: list[int]
    people: list[int]
    kept: list[int]
    missing: int
    best: list[float]


def _measured(arguments: argparse.Namespace, pipeline: Pipeline, folder: Path) -> Iterator[Result]:
    every = Pipeline(Settings.load(min_face_size=40, clip_frames="all"), pipeline.policy) if arguments.every else None
    for seed in range(arguments.clips):
        clip = composed(_people(arguments, seed), arguments.seconds, seed, (960, 540))
        path = folder / f"{seed}.mp4"
        clip.write(path)
        result = _result(clip, pipeline.track(path).faces, every.track(path).faces if every else None)
        print(f"clip {seed}: {result.tracks} tracks, {result.impure} impure", flush=True)
        yield result


def _result(clip: Composition, faces: Sequence[Face], every: Sequence[Face] | None) -> Result:
    walk = np.array(list(_owners(clip, faces)), np.intp)
    person = np.array([clip.walks[one].person if one >= 0 else -1 for one in walk])
    track = np.array([face.track for face in faces])
    fitness = np.array([face.measures["fitness"] for face in faces])
    kept = np.array([face.verdict.kept for face in faces])
    fit = np.array([_is_fit(face) for face in faces])
    walks = [one for one in range(len(clip.walks)) if (fit & (walk == one)).any()]
    fittest = _fittest(clip, faces if every is None else every)
    best = [fitness[kept & (walk == one)].max(initial=0) / fittest[one] for one in walks]
    return Result(
        tracks=len(set(track[walk >= 0].tolist())),
        impure=sum(len(set(person[(track == one) & (walk >= 0)].tolist())) > 1 for one in set(track.tolist())),
        fragments=[len(set(track[walk == one].tolist())) for one in sorted(set(walk.tolist()) - {-1})],
        people=[len(set(track[person == one].tolist())) for one in sorted(set(person.tolist()) - {-1})],
        kept=[int((kept & (walk == one)).sum()) for one in walks],
        missing=len(set(person[fit & (walk >= 0)].tolist()) - set(person[kept].tolist())),
        best=best,
    )


def _is_fit(face: Face) -> bool:
    return face.verdict.kept or face.verdict.reasons == ("not_a_best_shot",)


def _fittest(clip: Composition, faces: Sequence[Face]) -> dict[int, float]:
    """The fitness of the fittest face of each walk that passes all rules but the one on tracks."""
    found: dict[int, float] = {}
    for walk, face in zip(_owners(clip, faces), faces, strict=True):
        if _is_fit(face):
            found[walk] = max(found.get(walk, 0.0), face.measures["fitness"])
    return found


def _owners(clip: Composition, faces: Sequence[Face]) -> Iterator[int]:
    """The walk that owns the box of each face; -1 if none owns most of it."""
    drawn, owner = -1, np.empty((0, 0))
    for face in faces:
        if face.frame != drawn:
            drawn, owner = face.frame, clip.draw(face.frame)[1]
        x, y, w, h = face.box
        part = owner[max(0, int(y)) : max(1, int(y + h)), max(0, int(x)) : max(1, int(x + w))]
        walks, pixels = np.unique(part, return_counts=True)
        most = int(pixels.argmax()) if len(pixels) else -1
        yield int(walks[most]) if most >= 0 and pixels[most] > OWNED * part.size else -1


def _print(results: Sequence[Result]) -> None:
    tracks, impure = sum(one.tracks for one in results), sum(one.impure for one in results)
    fragments, people, kept, best = (
        np.array([value for one in results for value in getattr(one, name)])
        for name in ("fragments", "people", "kept", "best")
    )
    print(f"tracks: {tracks}, with two people: {impure} ({impure / max(tracks, 1):.1%})")
    print(
        f"tracks for each appearance ({len(fragments)}): {fragments.mean():.2f}; for each person: {people.mean():.2f}"
    )
    missing = sum(one.missing for one in results)
    print(f"kept for each appearance: {kept.mean():.2f}, at most {kept.max()}; people without a kept face: {missing}")
    print(f"best shot against the fittest face: median {np.median(best):.1%}, least {best.min():.1%}")


def _speed(clip: Composition, folder: Path) -> None:
    """CPU of decoding and cuts, of tracks, and of everything else, for the same frames with one thread."""
    path = folder / "clip.mp4"
    clip.write(path)
    settings = Settings.load(min_face_size=20)
    pipeline, policy = Pipeline(settings), Policy.preset("footage")
    source = as_sources(path)[0]
    begun = time.process_time()
    frames = sum(1 for _ in decode_each(source, settings))
    decoding = time.process_time() - begun
    begun = time.process_time()
    faces, scenes = list[Face](), list[int]()
    for record in pipeline.stream(path):
        faces += record.faces
        scenes += [record.photo.scene if record.photo else 0] * len(record.faces)
    everything = time.process_time() - begun
    begun = time.process_time()
    judge_clip(ClipFaces.of(faces, scenes), policy, settings.shot_gap, settings.identity)
    tracking = time.process_time() - begun
    networks = everything - decoding
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{frames} frames of {clip.size[0]} x {clip.size[1]}, {len(faces)} faces; CPU seconds:")
    print(f"decoding and cuts {decoding:.2f}, tracks and verdicts {tracking:.2f}, everything else {networks:.2f}:")
    print(f"{(decoding + tracking) / networks:.1%} on top; peak {peak} MB")


def _people(arguments: argparse.Namespace, seed: int) -> list[list[np.ndarray]]:
    """Known people, who look different each time, in every other clip; otherwise strangers, if there are any."""
    if arguments.strangers is None or seed % 2:
        return known(arguments.people)
    paths = sorted(path for path in arguments.strangers.iterdir() if path.suffix in (".jpg", ".png"))
    chosen = np.random.default_rng(seed).permutation(len(paths))[:6].tolist()
    return [[read(paths[one])] for one in chosen]


if __name__ == "__main__":
    main()
