"""A hash of the picture of a face, which stays nearly the same when the picture is edited."""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Integers, Pixels

FREQUENCIES = 16  # along each axis
BLOCK = 4  # pixels of a side that are averaged first
SCALE = 1 << 14  # of the whole numbers that stand for cosines


def crop_hash(grey: Pixels) -> Pixels:
    """(N, 32) uint8, 256 bits: the signs of the lowest 16 x 16 frequencies of each crop. All zero for a flat crop.

    The bits are sorted by frequency, so the first 64 are those of the lowest 8 x 8. The first bit, of the mean, is 0.
    Mirroring a crop flips exactly the bits of `mirrored_bits`. Only whole numbers are used, so the bits are the same on
    every machine. It tells pictures apart, not persons.
    grey: (N, S, S) uint8 luma; S is a multiple of 4.
    Source: after Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010 (the DCT hash).
    """
    side = grey.shape[1] // BLOCK
    small = grey.reshape(len(grey), side, BLOCK, side, BLOCK).sum(axis=(2, 4), dtype=np.int64)
    small = small * (side * side) - small.sum(axis=(1, 2), keepdims=True)  # so that a flat crop is exactly zero
    cosines = _cosines(side)
    waves = cosines @ small @ cosines.T
    signs = (waves > 0).reshape(len(grey), FREQUENCIES * FREQUENCIES)[:, _order()]
    signs[:, 0] = False
    return np.packbits(signs, axis=1)


def mirrored_bits() -> Pixels:
    """(32,) uint8: the bits of a hash that differ between a crop and its mirror image."""
    odd = np.arange(FREQUENCIES) % 2 == 1
    across = np.broadcast_to(odd, (FREQUENCIES, FREQUENCIES)).ravel()
    return np.packbits(across[_order()])


def _cosines(side: int) -> Integers:
    """(16, side) the rows of a discrete cosine transform, as whole numbers."""
    positions: Floats = (np.arange(side) + 0.5) * np.pi / side
    waves: Integers = np.rint(np.cos(np.outer(np.arange(FREQUENCIES), positions)) * SCALE).astype(np.int64)
    return waves


def _order() -> Integers:
    """(256,) the frequencies from low to high: those of each smaller square come first."""
    down, across = np.divmod(np.arange(FREQUENCIES * FREQUENCIES), FREQUENCIES)
    order: Integers = np.lexsort((across, down, np.maximum(down, across))).astype(np.int64)
    return order
