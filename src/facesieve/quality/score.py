"""The curves that turn native values into scores."""

from __future__ import annotations

from facesieve.quality import libm
from facesieve.records import Floats


def sigmoid(values: Floats, middle: float, width: float) -> Floats:
    """1 / (1 + exp((middle - x) / width)), the curve that ISO/IEC 29794-5:2025 maps with."""
    return 1 / (1 + libm.exp((middle - values) / width))
