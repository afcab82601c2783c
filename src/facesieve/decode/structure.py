"""Limits on lists inside a file, such as boxes and TIFF tags: very long ones would cost minutes or gigabytes."""

from __future__ import annotations

from facesieve.decode.bmp_header import bmp_size
from facesieve.decode.boxes import MOST_META, boxes
from facesieve.decode.heif_items import check_items
from facesieve.decode.integers import little
from facesieve.decode.jpeg2000 import check_jpeg2000
from facesieve.decode.tiff_cost import check_tiff
from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.settings import Settings

_LISTS = frozenset({b"meta", b"moov", b"jp2h", b"iprp"})
_RUN_LENGTH_BYTES, _RUN_LENGTH_PIXELS = 1 << 22, 1 << 24  # Pillow decodes run-length BMP in Python, in about a second
_RUN_LENGTH = (1, 2)


def check_structure(format: str, data: bytes, settings: Settings) -> None:
    """Refuse a file whose lists are too long.

    Raises Refused: `corrupt`, `unsupported_format` for a run-length BMP that would take too long, and for a TIFF
    `too_many_pixels` and `too_many_scans`.
    """
    match format:
        case "tiff":
            check_tiff(data, settings)
        case "bmp":
            _check_bmp(data)
        case "jpeg2000":
            _check_boxes(data)
            check_jpeg2000(data, settings)
        case "heif" | "avif":
            _check_boxes(data)
            check_items(data)


def _check_boxes(data: bytes) -> None:
    for kind, start, end in boxes(data):
        if kind in _LISTS and end - start > MOST_META:
            raise Refused(RefusalCode.CORRUPT, f"The file's metadata box is larger than {MOST_META:,} bytes.")


def _check_bmp(data: bytes) -> None:
    if little(data[30:34]) not in _RUN_LENGTH:
        return
    width, height = bmp_size(data)
    if len(data) > _RUN_LENGTH_BYTES or width * height > _RUN_LENGTH_PIXELS:
        most = f"{_RUN_LENGTH_BYTES:,} bytes or {_RUN_LENGTH_PIXELS:,} pixels"
        raise Refused(RefusalCode.UNSUPPORTED_FORMAT, f"FaceSieve does not read run-length BMPs of more than {most}.")
