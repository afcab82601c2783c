"""The signs of head pose. Every angle outside this package has the signs of the right column.

    the picture, as you see it          300W-LP, Hopenet, WHENet: raw       the reference, and FaceSieve

      yaw     <- nose    nose ->        > 0: nose to the picture's left     > 0: nose to the picture's right
      pitch      chin up, chin down     > 0: up                             > 0: up
      roll       head tilted            > 0: clockwise                      > 0: clockwise

                 .---.
    left  < -  ( o_o )  - >  right      only yaw differs: reference = -raw
                 '-'

Columns are always pitch, yaw, roll, in degrees. A rotation R takes a face in its own frame (x to the picture's right,
y up, z to the viewer) to the picture: R = Rx(pitch) Ry(yaw) Rz(roll) in raw signs, as 300W-LP defines it
(Zhu et al., 2016, https://arxiv.org/abs/1511.07212).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facesieve.records import Floats, Mask

SIGNS = np.array([1.0, -1.0, 1.0])


def to_reference(raw: npt.ArrayLike) -> Floats:
    """Pitch, yaw, roll (N, 3) float64 in degrees with the reference's signs. raw: (N, 3) with those of 300W-LP.

    The conversion is its own inverse.
    """
    degrees: Floats = np.asarray(raw, np.float64) * SIGNS
    return degrees


def with_half_turn(degrees: Floats, upside_down: Mask) -> Floats:
    """Pitch, yaw, roll (N, 3) in degrees with 180 added to the roll of some faces; roll stays within -180 to 180.

    upside_down: (N,) boolean, the faces to change. A pose model takes a face that is upside down for an upright one, so
    180 degrees of roll are missing.
    """
    corrected = degrees.copy()
    corrected[upside_down, 2] = (degrees[upside_down, 2] + 360) % 360 - 180
    return corrected


def from_rotations(rotations: Floats) -> Floats:
    """Raw pitch, yaw, roll (N, 3) float64 in degrees of rotations (N, 3, 3); yaw lies within -90 to 90."""
    pitch = np.arctan2(rotations[:, 1, 2], rotations[:, 2, 2])
    yaw = -np.arcsin(np.clip(rotations[:, 0, 2], -1, 1))
    roll = np.arctan2(rotations[:, 0, 1], rotations[:, 0, 0])
    raw: Floats = np.degrees(np.stack([pitch, yaw, roll], axis=1))
    return raw
