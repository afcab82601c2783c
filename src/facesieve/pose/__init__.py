"""Head pose: pitch, yaw and roll of every face."""

from facesieve.pose.angles import with_half_turn
from facesieve.pose.head_pose import HeadPose

__all__ = ["HeadPose", "with_half_turn"]
