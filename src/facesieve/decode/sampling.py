"""Which frames of a clip are used, by their times, and where its scenes begin."""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np

from facesieve.records import Floats32, Pixels
from facesieve.settings import Settings

ALMOST = 1e-6  # seconds by which a frame may come too early: times are sums of rounded numbers
LONGEST_GAP = 3600.0  # seconds between two frames; a longer gap is a damaged timestamp
USUAL_FPS = 25.0  # where a clip states no frame rate that could be true
CUT, CUT_RATIO, RECENT = 18.0, 3.0, 9  # grey levels, factor, number of differences; see `Scenes`


class Clock:
    """The times of consecutive frames in seconds: always ascending, whatever the timestamps of the clip say."""

    def __init__(self, fps: float | None) -> None:
        self._step = 1 / (fps or USUAL_FPS)
        self._last: float | None = None

    @property
    def end(self) -> float:
        """The end of the last frame."""
        return 0.0 if self._last is None else self._last + self._step

    def tick(self, stamp: float) -> float:
        """The time of the next frame. stamp: what the clip says; where it cannot be true, one frame is added."""
        known = math.isfinite(stamp) and (self._last is None or self._last < stamp <= self._last + LONGEST_GAP)
        self._last = stamp if known and stamp >= 0 else self.end
        return self._last


class Sampler:
    """Decides which frames are used, by time. length: of the clip in seconds; None if it is not known."""

    def __init__(self, settings: Settings, length: float | None) -> None:
        self._start, self._end = settings.clip_from, settings.clip_to or math.inf
        self._length = min(length or math.inf, self._end) - self._start
        self._step, self._most = settings.clip_every, settings.max_clip_frames
        match settings.clip_frames:
            case "all":
                self._step = 0.0
            case int(number):
                self._most = min(self._most, number)
                self._step = self._length / number if 0 < self._length < math.inf else self._step
        self._next = self._start
        self.used = 0

    def is_over(self, time: float) -> bool:
        """Whether no frame from this time on is used, because of `clip_to`."""
        return time >= self._end - ALMOST

    @property
    def is_full(self) -> bool:
        """Whether no further frame is used, because there are enough."""
        return self.used >= self._most

    def share(self, time: float) -> float:
        """How much of the wanted part of the clip is read at this time, from 0 to 1; 0 if its length is not known."""
        return min(1.0, (time - self._start) / self._length) if 0 < self._length < math.inf else 0.0

    def takes(self, time: float) -> bool:
        """Whether the frame at this time is used. Times are passed in order."""
        if time < self._next - ALMOST:
            return False
        if self._step:
            steps = math.floor((time - self._start + ALMOST) / self._step)
            self._next = self._start + (steps + 1) * self._step
        return True


class Scenes:
    """Numbers the scenes of consecutive frames.

    A scene begins where the thumbnail differs from the one before by more than two limits: `CUT` grey levels on
    average, and `CUT_RATIO` times the median of the last `RECENT` differences.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: Floats32 | None = None
        self._recent = deque([0.0, 0.0, 0.0], RECENT)

    def add(self, pixels: Pixels) -> bool:
        """Add a frame, (H, W, 3) uint8 RGB. Returns whether it begins a scene; the first one does."""
        thumb = _thumb(pixels)
        before, self._before = self._before, thumb
        if before is None:
            return True
        differs = float(np.abs(thumb - before).mean())
        cut = differs > CUT and differs > CUT_RATIO * float(np.median(list(self._recent)))
        self._recent.append(differs)
        self.number += cut
        return cut


def _thumb(pixels: Pixels) -> Floats32:
    """(36, 64) float32 grey levels. Most pixels are skipped, because reading all takes longer than it is worth."""
    step = max(1, min(pixels.shape[0] // 144, pixels.shape[1] // 256))
    grey = cv2.cvtColor(np.ascontiguousarray(pixels[::step, ::step]), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (64, 36), interpolation=cv2.INTER_AREA).astype(np.float32)
