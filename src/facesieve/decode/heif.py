"""HEIC and HEIF, decoded by libheif. pillow-heif is not registered in the host application's Pillow."""

from __future__ import annotations

from io import BytesIO

import pillow_heif

from facesieve.decode.colour import to_srgb
from facesieve.decode.cost import check_cost
from facesieve.decode.flatten import flatten
from facesieve.decode.structure import check_structure
from facesieve.records import Pixels
from facesieve.settings import Settings


def decode_heif(data: bytes, settings: Settings) -> Pixels:
    """Upright (H, W, 3) uint8 RGB of the primary image.

    libheif applies the container's rotation and mirroring. The EXIF orientation repeats them and is ignored, as
    ISO/IEC 23008-12 requires. Raises Refused for limits, the library's own exceptions otherwise.
    """
    check_structure("heif", data, settings)
    picture = pillow_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=True)
    check_cost("heif", picture.size, len(data), settings)
    pixels = flatten(picture.to_pillow())
    return to_srgb(pixels, picture.info.get("icc_profile") or b"") if settings.colour_profiles else pixels
