"""Functions of the C library for arrays: NumPy's own have other last bits on processors with AVX-512 than on others."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from facesieve.records import Floats

LARGEST = 700.0  # above it, exp leaves the range of numbers


def exp(values: Floats) -> Floats:
    """e to the power of each value, which counts as at most 700."""
    return _each(math.exp, np.minimum(values, LARGEST))


def log2(values: Floats) -> Floats:
    """Of each positive value."""
    return _each(math.log2, values)


def power(values: Floats, exponent: float) -> Floats:
    """Each value, none below 0, to the power of `exponent`."""
    return _each(lambda value: math.pow(value, exponent), values)


def sin(values: Floats) -> Floats:
    """Of each value in radians."""
    return _each(math.sin, values)


def cos(values: Floats) -> Floats:
    """Of each value in radians."""
    return _each(math.cos, values)


def _each(function: Callable[[float], float], values: Floats) -> Floats:
    return np.array([function(value) for value in values.ravel().tolist()], np.float64).reshape(values.shape)
