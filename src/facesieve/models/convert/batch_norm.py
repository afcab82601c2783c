"""Batch normalisation folded into the convolution before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesieve.models.onnx_writer import Array
from facesieve.records import Floats32


def fold(kernel: Floats32, normalisation: Sequence[Floats32], epsilon: float) -> tuple[Array, Array]:
    """A convolution and the batch normalisation after it as one: weight (O, I, h, w) and bias (O,), both float64.

    kernel: (O, I, h, w). normalisation: gamma, beta, mean and variance, each (O,).
    All operations are elementwise and correctly rounded, so that every machine writes the same bytes.
    """
    gamma, beta, mean, variance = normalisation
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    return kernel * scale[:, None, None, None], beta - mean * scale
