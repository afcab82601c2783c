"""The pixels of a Pillow image that the caller has made or opened."""

from __future__ import annotations

from PIL import ExifTags, Image

from facesieve.decode.flatten import flatten
from facesieve.decode.upright import upright
from facesieve.errors import Refused
from facesieve.records import Pixels, RefusalCode

_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


def from_image(image: Image.Image) -> Pixels:
    """Upright (H, W, 3) uint8 RGB of an image of any mode. The image is loaded, and not changed otherwise.

    Raises Refused `unreadable` where the image or its file was closed; Pillow's own exceptions where it is damaged.
    """
    try:
        image.load()
    except ValueError as error:
        if "closed" in str(error):
            raise Refused(RefusalCode.UNREADABLE, "The image, or the file behind it, was closed.") from error
        raise
    orientation = _orientation(image)
    if image.mode in _PREMULTIPLIED:  # Pillow can convert these modes to no other
        image = image.convert(_PREMULTIPLIED[image.mode])
    return upright(flatten(image), orientation)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation of a loaded image: while it loads a TIFF, Pillow applies the tag and removes it."""
    try:
        tag = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata is not a reason to refuse a picture
        return 1
    return tag if 1 <= tag <= 8 else 1
