"""Results on photos that lie on their side or head without an EXIF orientation that says so.

    python bench/turned.py FOLDER... [--most 100] [--turns 4]

Processes each photo as it is and turned by 90, 180 and 270 degrees. For each turn and policy it prints how many photos
have a kept face, with the check for upside-down faces and without it. The last column counts photos that end upright;
with `--turns 4` the pipeline turns photos back.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facesieve.decode import decode
from facesieve.pipeline import Pipeline
from facesieve.quality import MEASURES
from facesieve.records import Face, Measures
from facesieve.settings import Settings
from facesieve.sieve import Policy, judge
from facesieve.sources import as_sources, find_sources

TURNS = (0, 90, 180, 270)
POLICIES = {name: Policy.preset(name) for name in Policy.presets()}


def kept(faces: tuple[Face, ...], policy: Policy, checked: bool) -> bool:
    """Whether any of the faces is kept. checked: with the upside-down check; otherwise its change of roll is undone."""
    columns = {row.name: np.array([face.measures[row.name] for face in faces], float) for row in MEASURES}
    if not checked:
        roll = columns["roll"]
        columns["roll"] = np.where(np.abs(roll) > 90, (roll + 360) % 360 - 180, roll)
    return any(verdict.kept for verdict in judge(policy, Measures(columns)))


def answers(folder: str, most: int, pipeline: Pipeline) -> Iterator[tuple[int, int, tuple[Face, ...]]]:
    """For each photo and turn: the degrees we turned it by, the degrees the pipeline turned it by, and its faces."""
    sources = find_sources([folder], pipeline.settings).sources
    pictures = [source for source in sources if Path(source.name).suffix.lower() in (".jpg", ".jpeg", ".png")]
    for source in pictures[:: max(len(pictures) // most, 1)][:most]:
        for photo in decode([source], pipeline.settings).photos:
            turned = [photo.pixels, *(photo.turned(degrees).pixels for degrees in TURNS[1:])]
            for degrees, record in zip(TURNS, pipeline.process(as_sources(turned)), strict=True):
                yield degrees, record.photo.turn if record.photo else 0, record.faces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    parser.add_argument("--most", type=int, default=10_000, help="most photos per folder, evenly spaced")
    parser.add_argument("--turns", type=int, choices=(1, 4), default=1)
    arguments = parser.parse_args()
    pipeline = Pipeline(Settings.load(turns=arguments.turns))
    for folder in arguments.folders:
        count, back = Counter[int](), Counter[int]()
        tally = Counter[tuple[int, str, bool]]()
        for degrees, again, faces in answers(folder, arguments.most, pipeline):
            count[degrees] += 1
            back[degrees] += (degrees + again) % 360 == 0
            for name, policy in POLICIES.items():
                for checked in (True, False):
                    tally[degrees, name, checked] += bool(faces) and kept(faces, policy, checked)
        print(f"\n{Path(folder).name}: {count[0]} photos; photos with a kept face, in brackets without the check")
        print("turned by   " + "".join(f"{name:>16}" for name in POLICIES) + "   upright in the end")
        for degrees in TURNS:
            cells = (f"{tally[degrees, name, True]} ({tally[degrees, name, False]})" for name in POLICIES)
            print(f"{degrees:>9}   " + "".join(f"{cell:>16}" for cell in cells) + f"   {back[degrees]}")


if __name__ == "__main__":
    main()
