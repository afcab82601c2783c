"""Pillow decodes PNG, WebP, GIF, BMP, TIFF, AVIF, JPEG 2000, and JPEG where the fast decoder fails; first frame only.

The class of the format is called, not `Image.open`. So no other format is tried on the bytes, no plugin is registered,
and Pillow's process-wide size limit, which belongs to the host application, has no effect.
"""

from __future__ import annotations

from io import BytesIO

from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Jpeg2KImagePlugin, JpegImagePlugin, PngImagePlugin
from PIL import TiffImagePlugin as Tiff
from PIL import WebPImagePlugin as WebP
from PIL.ImageFile import ImageFile

from facesieve.decode import webp_chunks
from facesieve.decode.bmp_header import with_known_header
from facesieve.decode.boxes import MOST_META, boxes
from facesieve.decode.colour import to_srgb
from facesieve.decode.cost import check_cost
from facesieve.decode.exif import orientation_of
from facesieve.decode.flatten import flatten
from facesieve.decode.gif_blocks import first_frame
from facesieve.decode.png_chunks import read_chunks
from facesieve.decode.png_rows import lacks_rows
from facesieve.decode.structure import check_structure
from facesieve.decode.upright import upright
from facesieve.errors import Refused
from facesieve.records import Pixels, RefusalCode
from facesieve.settings import Settings


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
    elif format == "webp":
        data, exif, icc = webp_chunks.read_chunks(data)
    else:
        check_structure(format, data, settings)
    if format == "bmp":
        data = with_known_header(data)
    with _open_avif(data) if format == "avif" else open_still(format, data) as image:
        check_cost(format, image.size, length, settings)
        exif, icc = exif or image.info.get("exif", b""), icc or image.info.get("icc_profile") or b""
        if format == "tiff":
            # Pillow turns a TIFF by its own tag while it loads. An orientation in its XMP must not turn it again.
            exif = b""
            image.info.pop("xmp", None)
        image.load()
        if format == "png" and lacks_rows(data, image):
            raise Refused(RefusalCode.TRUNCATED)
        pixels = flatten(image)
        if settings.colour_profiles and image.mode in ("RGB", "RGBA", "RGBX", "P", "PA"):
            pixels = to_srgb(pixels, icc)
        return upright(pixels, orientation_of(exif))


def _open_avif(data: bytes) -> ImageFile:
    """Open an AVIF even if its EXIF block is damaged, which Pillow refuses: then rename the type of that block."""
    try:
        return open_still("avif", data)
    except MemoryError:
        raise
    except Exception:
        start, end = next(((start, end) for kind, start, end in boxes(data) if kind == b"meta"), (0, 0))
        meta = data[start : min(end, start + MOST_META)]
        if b"Exif" not in meta:
            raise
        return open_still("avif", b"".join((data[:start], meta.replace(b"Exif", b"free"), data[start + len(meta) :])))
