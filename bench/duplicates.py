"""Time and memory of the search for near-duplicates among many faces.

    python bench/duplicates.py [FACES] [LABELS]

The hashes are drawn like those of real faces: every bit is set as often as in 12 prototypes that share most low bits.
A tenth of the faces are edited copies of others. Prints what share of the copies was found.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from facesieve.quality import mirrored_bits
from facesieve.relate import find_duplicates

CHANGED = 0.3  # share of the bits of a prototype that differ in a face
# Share of the bits that an edit changes: fewer of the lowest 81 frequencies, as in edits of real faces.
EDITED = np.repeat([0.05, 0.12], [81, 175])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=int, nargs="?", default=1_000_000)
    parser.add_argument("labels", type=int, nargs="?", default=20_000)
    arguments = parser.parse_args()
    count, labels = arguments.faces, arguments.labels
    random = np.random.default_rng(0)
    made = _changed(random, random.integers(0, 256, (12, 32), np.uint8)[random.integers(0, 12, count)], CHANGED)
    copies = random.permutation(count)[: count // 10]
    originals = (copies + 1 + random.integers(0, count // 2, len(copies))) % count
    made[copies] = _changed(random, made[originals], EDITED)
    made[copies[::10]] ^= mirrored_bits()
    started = time.perf_counter()
    codes, fitness = random.integers(0, labels, count), random.random(count) * 100
    result = find_duplicates(made, mirrored_bits(), codes, fitness, np.ones(count, bool))
    seconds = time.perf_counter() - started
    found = np.mean((result.twin[copies] >= 0) | (result.twin[originals] >= 0))
    grouped = np.mean(result.rank_among_duplicates > 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{count:,} faces, {labels:,} labels: {seconds:.0f} s, peak {peak:.2f} GB")
    print(f"copies found {found:.1%}; faces that are not the first of their group {grouped:.1%} (planted 10 %)")


def _changed(random: np.random.Generator, hashes: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """The hashes with a share of their bits flipped."""
    changed = np.empty_like(hashes)
    for start in range(0, len(hashes), 10_000):
        some = hashes[start : start + 10_000]
        changed[start : start + 10_000] = some ^ np.packbits(random.random((len(some), 256)) < share, axis=1)
    return changed


if __name__ == "__main__":
    main()
