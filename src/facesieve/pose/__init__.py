"""Which way a head is turned: pitch, yaw and roll of every face."""

from facesieve.pose.angles import turned_over
from facesieve.pose.head_pose import HeadPose

__all__ = ["HeadPose", "turned_over"]
