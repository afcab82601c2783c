"""Converts pixels of any mode to 8-bit RGB: alpha over white, deep samples scaled, CMYK and palettes converted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from facesieve.errors import Refused
from facesieve.records import Pixels, RefusalCode

ROWS = 256
BITS_PER_SAMPLE = 258


def flatten(image: Image.Image) -> Pixels:
    """A loaded Pillow image of any mode as (H, W, 3) uint8 RGB.

    It is converted in strips, so that this takes memory for one strip besides the picture and the result.
    Transparent pixels become white. Grey deeper than 8 bits is scaled, v * 255 / (2 ** bits - 1) rounded to nearest;
    Pillow has already cut deep colour to its high byte, which differs by at most one level. Float grey is 0..1.
    CIELAB becomes sRGB.
    Raises Refused `unsupported_format`: samples whose range is not defined.
    """
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    to_rgb = _converter(image)
    for top in range(0, image.height, ROWS):
        bottom = min(top + ROWS, image.height)
        rgb[top:bottom] = to_rgb(image.crop((0, top, image.width, bottom)))
    return rgb


def _converter(image: Image.Image) -> Callable[[Image.Image], Pixels]:
    if image.mode.startswith("I;16"):
        return lambda strip: _deep_grey(strip, _bits(image))
    if image.mode == "F":
        return _float_grey
    if image.mode == "LAB":
        return _cielab()
    if image.mode in ("I", "HSV"):
        message = f"FaceSieve does not read pictures of mode {image.mode}: the range of their values is not defined."
        raise Refused(RefusalCode.UNSUPPORTED_FORMAT, message)
    return _over_white if image.has_transparency_data else _plain


def _plain(strip: Image.Image) -> Pixels:
    return np.asarray(strip.convert("RGB"))


def _over_white(strip: Image.Image) -> Pixels:
    rgba = strip.convert("RGBA")
    paper = Image.new("RGB", strip.size, "white")
    paper.paste(rgba, mask=rgba.getchannel("A"))
    return np.asarray(paper)


def _bits(image: Image.Image) -> int:
    """Bits per sample: 12 for a 12-bit TIFF, whose samples Pillow returns unscaled in a 16-bit mode."""
    tags = getattr(image, "tag_v2", {})
    return int(tags.get(BITS_PER_SAMPLE, (16,))[0])


def _deep_grey(strip: Image.Image, bits: int) -> Pixels:
    deep = np.asarray(strip).astype(np.uint32)
    white = 2**bits - 1
    grey: Pixels = ((deep * 255 + white // 2) // white).clip(0, 255).astype(np.uint8)
    clear = strip.info.get("transparency")
    if clear is not None:
        grey[deep == clear] = 255
    return grey[..., None]


def _float_grey(strip: Image.Image) -> Pixels:
    return from_light(np.asarray(strip))[..., None]


def from_light(light: npt.NDArray[np.float32]) -> Pixels:
    """Float samples as levels. Raises Refused `unsupported_format` where they are not between 0 and 1."""
    if not ((light >= 0) & (light <= 1)).all():
        raise Refused(RefusalCode.UNSUPPORTED_FORMAT, "Float samples must lie between 0 and 1.")
    levels: Pixels = np.rint(light * 255).astype(np.uint8)
    return levels


def _cielab() -> Callable[[Image.Image], Pixels]:
    """CIELAB under D50, as TIFF and ICC.1 define it, to sRGB."""
    from PIL import ImageCms  # few pictures need it

    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"),
        ImageCms.createProfile("sRGB"),
        "LAB",
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    return lambda strip: np.asarray(transform.apply(strip))
