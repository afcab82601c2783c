"""A Pillow image that the caller has made or opened, as the pixels that every later stage sees."""

from __future__ import annotations

from PIL import ExifTags, Image

from facesieve.decode.flatten import flatten
from facesieve.decode.upright import upright
from facesieve.errors import Refused
from facesieve.records import Pixels, RefusalCode

_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


def from_image(image: Image.Image) -> Pixels:
    """Upright (H, W, 3) uint8 RGB of an image of any mode. It is loaded, and otherwise stays as it is.

    Raises Refused `unreadable` where the image or its file was closed; Pillow's own exceptions where its content
    is damaged.
    """
    try:
        image.load()
    except ValueError as error:
        if "closed" in str(error):
            raise Refused(RefusalCode.UNREADABLE, "The image, or the file behind it, was closed.") from error
        raise
    orientation = _orientation(image)
    if image.mode in _PREMULTIPLIED:  # Pillow converts these to nothing else
        image = image.convert(_PREMULTIPLIED[image.mode])
    return upright(flatten(image), orientation)


def _orientation(image: Image.Image) -> int:
    """Asked once the image is loaded: Pillow applies the tag of a TIFF while it loads, and then removes it."""
    try:
        tag = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata is no reason to refuse a picture
        return 1
    return tag if 1 <= tag <= 8 else 1
