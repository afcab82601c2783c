"""Angles to rotations and back, and what turning or mirroring a picture does to the angles.

Angles are pitch, yaw, roll in degrees with FaceSieve's signs. A rotation takes a face in its own frame (x to the
picture's right, y up, z to the viewer) to the picture: R = Rx(pitch) Ry(yaw) Rz(roll) in the signs of 300W-LP, where
yaw is negated (`facesieve.pose.angles`).
"""

from __future__ import annotations

import numpy as np

from facesieve.pose.angles import from_rotations, to_reference

MIRRORED = np.array([1, -1, -1], np.float32)


def to_rotations(degrees: np.ndarray) -> np.ndarray:
    """Rotations (N, 3, 3) of angles (N, 3)."""
    (cp, cy, cr), (sp, sy, sr) = (of(np.radians(to_reference(degrees))).T for of in (np.cos, np.sin))
    zero, one = np.zeros_like(cp), np.ones_like(cp)
    x = np.array([[one, zero, zero], [zero, cp, sp], [zero, -sp, cp]])
    y = np.array([[cy, zero, -sy], [zero, one, zero], [sy, zero, cy]])
    z = np.array([[cr, sr, zero], [-sr, cr, zero], [zero, zero, one]])
    return np.einsum("ijn,jkn,kln->nil", x, y, z)


def to_degrees(rotations: np.ndarray) -> np.ndarray:
    """Angles (N, 3) of rotations (N, 3, 3)."""
    return to_reference(from_rotations(rotations))


def turned(degrees: np.ndarray, clockwise: np.ndarray) -> np.ndarray:
    """Angles of faces whose pictures were turned by some degrees (N,). Adding them to roll alone would be wrong."""
    turns = np.zeros_like(degrees)
    turns[:, 2] = clockwise
    return to_degrees(to_rotations(turns) @ to_rotations(degrees))
