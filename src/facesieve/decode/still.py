"""PNG, WebP, GIF, BMP, TIFF, AVIF and JPEG 2000, and JPEG where the fast decoder steps aside: Pillow, first frame only.

The format's own class is called, not `Image.open`: nothing else is ever tried on the bytes, no plugin is registered,
and Pillow's process-wide size limit, a setting of the host application, plays no part.
"""

from __future__ import annotations

from io import BytesIO

from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Jpeg2KImagePlugin, JpegImagePlugin, PngImagePlugin
from PIL import TiffImagePlugin as Tiff
from PIL import WebPImagePlugin as WebP
from PIL.ImageFile import ImageFile

from facesieve.decode.colour import to_srgb
from facesieve.decode.cost import check_cost
from facesieve.decode.exif import orientation_of
from facesieve.decode.flatten import flatten
from facesieve.decode.gif_blocks import first_frame
from facesieve.decode.png_chunks import read_chunks
from facesieve.decode.tiff_tags import first_directory
from facesieve.decode.upright import upright
from facesieve.errors import Refused
from facesieve.records import Pixels, RefusalCode
from facesieve.settings import Settings

_MOST_TIFF_VALUES = 1 << 17  # more strips than a picture of the longest side has rows in three planes
_RUN_LENGTH_BYTES = 1 << 22  # Pillow decodes run-length BMP in Python, a second for so many bytes
_RUN_LENGTH = (1, 2)
_XMP_TAG = 700


def open_still(format: str, data: bytes) -> ImageFile:
    """The picture with its header read and no pixel decoded; Pillow's own exceptions where that fails."""
    opens: dict[str, type[ImageFile]] = {
        "jpeg": JpegImagePlugin.JpegImageFile,
        "png": PngImagePlugin.PngImageFile,
        "webp": WebP.WebPImageFile,
        "gif": GifImagePlugin.GifImageFile,
        "bmp": BmpImagePlugin.BmpImageFile,
        "tiff": Tiff.TiffImageFile,
        "avif": AvifImagePlugin.AvifImageFile,
        "jpeg2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
    }
    return opens[format](BytesIO(data))


def decode_still(format: str, data: bytes, settings: Settings) -> Pixels:
    """Upright (H, W, 3) uint8 RGB. Raises Refused for limits, Pillow's own exceptions otherwise."""
    length, exif, icc = len(data), b"", b""
    if format == "png":
        data, exif, icc = read_chunks(data)
    elif format == "gif":
        data = first_frame(data)
    else:
        _check_structure(format, data)
    with open_still(format, data) as image:
        check_cost(format, image.size, length, settings)
        exif, icc = exif or image.info.get("exif", b""), icc or image.info.get("icc_profile") or b""
        if format == "tiff":
            # Pillow turns a TIFF by its own tag while it loads; its XMP does not count.
            exif = b""
            image.info.pop("xmp", None)
        image.load()
        pixels = flatten(image)
        if settings.colour_profiles and image.mode in ("RGB", "RGBA", "RGBX", "P", "PA"):
            pixels = to_srgb(pixels, icc)
        return upright(pixels, orientation_of(exif))


def _check_structure(format: str, data: bytes) -> None:
    """Refuse what Pillow's own readers, which are written in Python, would take minutes for."""
    if format == "tiff":
        try:
            values = first_directory(data).longest_list()
        except ValueError:
            return
        if values > _MOST_TIFF_VALUES:
            raise Refused(RefusalCode.CORRUPT, f"A list in the TIFF's directory claims {values:,} values.")
    if format == "bmp" and len(data) > _RUN_LENGTH_BYTES and int.from_bytes(data[30:34], "little") in _RUN_LENGTH:
        raise Refused(
            RefusalCode.UNSUPPORTED_FORMAT, f"A run-length BMP of more than {_RUN_LENGTH_BYTES:,} bytes is not decoded."
        )
