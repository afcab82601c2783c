"""Pictures with a wide-gamut profile, such as Display P3 or Adobe RGB, converted to sRGB (ICC.1, with littleCMS)."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
from PIL import Image

from facesieve.decode.integers import big
from facesieve.records import Pixels

_ROWS = 256
_MOST_BYTES = 1 << 22
_MOST_TAGS = 100

# Red, green and blue in sRGB profiles: XYZ under D50 (IEC 61966-2-1, adapted with Bradford's matrix).
_PRIMARIES = (b"rXYZ", b"gXYZ", b"bXYZ")
_SRGB = np.array([(0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)])
_WHITE = np.array((0.9642, 1.0, 0.8249))
_NEAR, _NEAR_WHITE = 0.01, 0.01
_CURVES = (b"rTRC", b"gTRC", b"bTRC")
_MOST_CURVE = 1 << 16
_MIDDLE = (0.1, 0.36)  # light of the middle level; gamma 1.5 to 3.3


def to_srgb(pixels: Pixels, profile: bytes) -> Pixels:
    """(H, W, 3) uint8 RGB as sRGB, relative colorimetric; the same array where the profile changes nothing.

    A profile is applied only where its primaries differ from those of sRGB. A damaged profile is ignored, like all
    damaged metadata.
    """
    try:
        if not profile or not _is_wide_gamut(profile):
            return pixels
        from PIL import ImageCms  # few pictures need it

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
    except Exception:  # damaged profiles raise errors of every type
        return pixels
    return converted


def _is_wide_gamut(profile: bytes) -> bool:
    """Whether a profile is that of an RGB screen or camera, is consistent, and has other primaries than sRGB.

    This takes microseconds. Valid primaries add up to the white of D50 (ICC.1 8.3.3 and 9.2.32).
    """
    sound = profile[16:20] == b"RGB " and profile[36:40] == b"acsp" and big(profile[:4]) <= len(profile) < _MOST_BYTES
    entries = profile[132 : 132 + 12 * min(big(profile[128:132]), _MOST_TAGS)]
    if not sound or len(entries) % 12:
        return False
    positions = {name: (start, size) for name, start, size in struct.iter_unpack(">4sII", entries)}
    if not positions.keys() >= {*_PRIMARIES, *_CURVES} or b"A2B0" in positions:
        return False
    colours = (profile[positions[name][0] + 8 : positions[name][0] + 20].ljust(12, b"\0") for name in _PRIMARIES)
    primaries = np.frombuffer(b"".join(colours), ">i4").reshape(3, 3) / 65536
    if np.abs(primaries - _SRGB).max() < _NEAR or np.abs(primaries.sum(0) - _WHITE).max() > _NEAR_WHITE:
        return False
    curves = {positions[name] for name in _CURVES}  # most profiles share one
    low, high = _MIDDLE
    return all(low < _middle(profile[start : start + min(size, _MOST_CURVE)]) < high for start, size in curves)


def _middle(curve: bytes) -> float:
    """The linear light that a tone curve has for level 0.5 (ICC.1 10.6 and 10.18); 0 where it cannot be read."""
    if curve[:4] == b"curv":
        count = big(curve[8:12])
        if count == 1:
            return float(0.5 ** (big(curve[12:14]) / 256))
        at = 12 + 2 * (count // 2)
        return big(curve[at : at + 2]) / 65535 if count else 0.5
    if curve[:4] == b"para":
        kind = big(curve[8:10])
        g, a, b, c, *_ = (int.from_bytes(curve[at : at + 4], "big", signed=True) / 65536 for at in range(12, 28, 4))
        if kind == 0:
            return float(0.5**g)
        base = a * 0.5 + b
        return float(base**g + (c if kind == 2 else 0)) if base > 0 else 0.0
    return 0.0
