"""Functions of the C library over arrays.

Those of NumPy return other last bits on processors with AVX-512 than on others. All arrays are float64 of any
shape, and the results have the same shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from facesieve.records import Floats

LARGEST = 700.0  # exp of much larger values is not a finite number


def exp(values: Floats) -> Floats:
    """e to the power of each value; values above 700 count as 700."""
    return _each(math.exp, np.minimum(values, LARGEST))


def sigmoid(values: Floats, middle: float, width: float) -> Floats:
    """1 / (1 + exp((middle - x) / width)), the curve of most scores of ISO/IEC 29794-5:2025."""
    return 1 / (1 + exp((middle - values) / width))


def log2(values: Floats) -> Floats:
    """Logarithm to the base 2 of each value; all must be positive."""
    return _each(math.log2, values)


def power(values: Floats, exponent: float) -> Floats:
    """Each value to the power of `exponent`; none may be negative."""
    return _each(lambda value: math.pow(value, exponent), values)


def sin(values: Floats) -> Floats:
    """Sine of each value in radians."""
    return _each(math.sin, values)


def cos(values: Floats) -> Floats:
    """Cosine of each value in radians."""
    return _each(math.cos, values)


def _each(function: Callable[[float], float], values: Floats) -> Floats:
    return np.array([function(value) for value in values.ravel().tolist()], np.float64).reshape(values.shape)
