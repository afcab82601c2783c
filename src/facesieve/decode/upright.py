"""Turns stored pixels upright by their EXIF orientation."""

from __future__ import annotations

from typing import cast

import cv2

from facesieve.records import Pixels

# Codes of cv2.flip after the transposition that orientations 5 to 8 begin with (TIFF 6.0, Orientation).
_ACROSS, _DOWN, _BOTH = 1, 0, -1
_FLIP = {2: _ACROSS, 3: _BOTH, 4: _DOWN, 6: _ACROSS, 7: _BOTH, 8: _DOWN}


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """(H, W, 3) stored pixels, turned upright; the same array where the orientation is 1."""
    if orientation >= 5:
        turned = cast(Pixels, cv2.transpose(pixels))
        # In place, as in cv2.rotate: a third copy of a large photo would raise the peak of memory.
        return cast(Pixels, cv2.flip(turned, _FLIP[orientation], turned)) if orientation in _FLIP else turned
    return cast(Pixels, cv2.flip(pixels, _FLIP[orientation])) if orientation in _FLIP else pixels
