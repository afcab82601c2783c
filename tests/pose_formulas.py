"""The published formulas of head pose, which the package itself does not need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facesieve.records import Floats


def to_rotations(raw: Floats) -> Floats:
    """Rotations (N, 3, 3) float64 of raw pitch, yaw, roll (N, 3) in degrees; see `pose.angles`."""
    (a, b, c), one, zero = np.radians(raw).T, np.ones(len(raw)), np.zeros(len(raw))
    cos, sin = np.cos, np.sin
    pitch = np.array([[one, zero, zero], [zero, cos(a), sin(a)], [zero, -sin(a), cos(a)]])
    yaw = np.array([[cos(b), zero, -sin(b)], [zero, one, zero], [sin(b), zero, cos(b)]])
    roll = np.array([[cos(c), sin(c), zero], [-sin(c), cos(c), zero], [zero, zero, one]])
    rotations: Floats = np.einsum("ijn,jkn,kln->nil", pitch, yaw, roll)
    return rotations


def expectation(logits: npt.ArrayLike) -> Floats:
    """Expected angles (N,) float64 in degrees of logits (N, B) over B bins; bin i stands for 3 i - 1.5 B degrees.

    Source: Ruiz et al., 2018, https://arxiv.org/abs/1710.00925. The converted networks contain the same arithmetic.
    """
    logits = np.asarray(logits, np.float64)
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    bins = logits.shape[1]
    degrees: Floats = share @ (3.0 * np.arange(bins) - 1.5 * bins) / share.sum(axis=1)
    return degrees
