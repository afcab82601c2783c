"""Vectors like the embeddings of people, for tests."""

from __future__ import annotations

import numpy as np


def people(sizes: list[int], seed: int = 0, spread: float = 0.025) -> tuple[np.ndarray, np.ndarray]:
    """Faces of people as far apart as those of dlib's network: about .8, and .4 within one person. Also their owners.

    sizes: how many faces each person has.
    """
    random = np.random.default_rng(seed)
    middles = random.normal(0, 0.05, (len(sizes), 128)) + 0.1
    owner = np.repeat(np.arange(len(sizes)), sizes)
    return (middles[owner] + random.normal(0, spread, (len(owner), 128))).astype(np.float16), owner
