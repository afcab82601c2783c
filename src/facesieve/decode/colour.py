"""Pictures with a wide-gamut profile, such as Display P3 or Adobe RGB, to sRGB (ICC.1 by way of littleCMS)."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
from PIL import Image

from facesieve.records import Pixels

_ROWS = 256
_MOST_BYTES = 1 << 22
_MOST_TAGS = 100

# Red, green and blue of sRGB as its profiles state them: XYZ under D50 (IEC 61966-2-1, adapted with Bradford's matrix).
_SRGB = {b"rXYZ": (0.4361, 0.2225, 0.0139), b"gXYZ": (0.3851, 0.7169, 0.0971), b"bXYZ": (0.1431, 0.0606, 0.7141)}
_NEAR = 0.003
_CURVES = (b"rTRC", b"gTRC", b"bTRC")
_MOST_CURVE = 1 << 16
_MIDDLE, _NEAR_MIDDLE = 0.2140, 0.012  # light of the middle level in sRGB; gamma 2.2 is within it


def to_srgb(pixels: Pixels, profile: bytes) -> Pixels:
    """(H, W, 3) uint8 RGB as sRGB, relative colorimetric; the same array for a profile of sRGB or of no RGB space.

    A damaged profile is ignored, like all damaged metadata.
    """
    if not profile or profile[16:20] != b"RGB " or len(profile) > _MOST_BYTES or _is_srgb(profile):
        return pixels
    from PIL import ImageCms  # few pictures need it

    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
        converted = np.empty_like(pixels)
        for top in range(0, len(pixels), _ROWS):
            strip = transform.apply(Image.fromarray(pixels[top : top + _ROWS]))
            converted[top : top + _ROWS] = np.asarray(strip)
    except MemoryError:
        raise
    except Exception:  # littleCMS refuses strangers' profiles in many ways
        return pixels
    return converted


def _is_srgb(profile: bytes) -> bool:
    """Whether primaries and tone curve are those of sRGB: by far the most frequent case, told in microseconds."""
    entries = profile[132 : 132 + 12 * min(_big(profile[128:132]), _MOST_TAGS)]
    if len(entries) % 12:
        return False
    places = {name: (start, size) for name, start, size in struct.iter_unpack(">4sII", entries)}
    if not places.keys() >= {*_SRGB, *_CURVES} or b"A2B0" in places or b"A2B1" in places:
        return False
    for name, expected in _SRGB.items():
        start, _ = places[name]
        found = struct.unpack(">3i", profile[start + 8 : start + 20].ljust(12, b"\0"))
        if any(abs(one / 65536 - other) > _NEAR for one, other in zip(found, expected, strict=True)):
            return False
    curves = {places[name] for name in _CURVES}  # most profiles share one
    return all(
        abs(_middle(profile[start : start + min(size, _MOST_CURVE)]) - _MIDDLE) < _NEAR_MIDDLE for start, size in curves
    )


def _middle(curve: bytes) -> float:
    """The light of level 0.5 by a tone curve (ICC.1 10.6 and 10.18); 0 where it is unreadable."""
    if curve[:4] == b"curv":
        count = _big(curve[8:12])
        if count == 1:
            return float(0.5 ** (_big(curve[12:14]) / 256))
        at = 12 + 2 * (count // 2)
        return _big(curve[at : at + 2]) / 65535 if count else 0.5
    if curve[:4] == b"para":
        kind = _big(curve[8:10])
        g, a, b, c, *_ = (int.from_bytes(curve[at : at + 4], "big", signed=True) / 65536 for at in range(12, 28, 4))
        if kind == 0:
            return float(0.5**g)
        base = a * 0.5 + b
        return float(base**g + (c if kind == 2 else 0)) if base > 0 else 0.0
    return 0.0


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")
