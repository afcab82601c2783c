"""Bins of head poses, for questions about how varied the faces of a dataset are."""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Integers

YAW_EDGES = (-45.0, -15.0, 15.0, 45.0)  # degrees
PITCH_EDGES = (-15.0, 15.0)
YAW_BINS = ("left profile", "left", "frontal", "right", "right profile")  # as the viewer sees it
PITCH_BINS = ("down", "level", "up")


def pose_bins(yaw: Floats, pitch: Floats) -> Integers:
    """(N,) the bin of each pose: 5 x the pitch bin + the yaw bin; -1 where an angle is NaN.

    yaw, pitch: (N,) degrees. An angle on an edge belongs to the bin above it.
    """
    turned, nodded = np.searchsorted(YAW_EDGES, yaw, "right"), np.searchsorted(PITCH_EDGES, pitch, "right")
    return np.where(np.isnan(yaw) | np.isnan(pitch), -1, nodded * len(YAW_BINS) + turned).astype(np.int64)
