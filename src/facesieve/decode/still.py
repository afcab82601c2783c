"""PNG, WebP, GIF, BMP, TIFF and AVIF, and JPEG where the fast decoder steps aside: Pillow, first frame only.

The format's own class is called, not `Image.open`: nothing else is ever tried on the bytes, no plugin is registered,
and Pillow's process-wide size limit, a setting of the host application, plays no part.
"""

from __future__ import annotations

from io import BytesIO

from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL import WebPImagePlugin as WebP
from PIL.ImageFile import ImageFile

from facesieve.decode.flatten import flatten
from facesieve.decode.header import check_size
from facesieve.decode.upright import orientation, upright
from facesieve.records import Pixels
from facesieve.settings import Settings


def open_still(format: str, data: bytes) -> ImageFile:
    """The picture with its header read and no pixel decoded; Pillow's own exceptions where that fails."""
    opens: dict[str, type[ImageFile]] = {
        "jpeg": JpegImagePlugin.JpegImageFile,
        "png": PngImagePlugin.PngImageFile,
        "webp": WebP.WebPImageFile,
        "gif": GifImagePlugin.GifImageFile,
        "bmp": BmpImagePlugin.BmpImageFile,
        "tiff": TiffImagePlugin.TiffImageFile,
        "avif": AvifImagePlugin.AvifImageFile,
    }
    return opens[format](BytesIO(data))


def decode_still(format: str, data: bytes, settings: Settings) -> Pixels:
    """Upright (H, W, 3) uint8 RGB. Raises Refused for limits, Pillow's own exceptions otherwise."""
    with open_still(format, data) as image:
        check_size(image.size, settings)
        image.load()
        return upright(flatten(image), orientation(image))
