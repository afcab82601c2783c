"""Limits on lists inside a file, such as boxes and TIFF tags: very long ones would cost minutes or gigabytes."""

from __future__ import annotations

from collections.abc import Iterator

from facesieve.decode.integers import big, little
from facesieve.decode.tiff_cost import check_tiff
from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.settings import Settings

MOST_META = 1 << 24  # bytes of a box that lists others; the pixels are outside such boxes
_LISTS = frozenset({b"meta", b"moov", b"jp2h", b"iprp"})
_MOST_BOXES = 1 << 14
_RUN_LENGTH_BYTES = 1 << 22  # Pillow decodes run-length BMP in Python, one second for this many bytes
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
        case "heif" | "avif" | "jpeg2000":
            _check_boxes(data)


def boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The outermost boxes of a file (ISO/IEC 14496-12 4.2): type, start and end of the content.

    Raises Refused `corrupt` when there are too many.
    """
    at = 0
    for _ in range(_MOST_BOXES):
        if at > len(data) - 8:
            return
        size, kind, start = big(data[at : at + 4]), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, start = big(data[start : start + 8]), start + 8
        end = at + size if size else len(data)
        if end < start:
            return
        yield kind, start, min(end, len(data))
        at = end
    raise Refused(RefusalCode.CORRUPT, f"The file has more than {_MOST_BOXES:,} boxes.")


def _check_boxes(data: bytes) -> None:
    for kind, start, end in boxes(data):
        if kind in _LISTS and end - start > MOST_META:
            raise Refused(RefusalCode.CORRUPT, f"The file's metadata box is larger than {MOST_META:,} bytes.")


def _check_bmp(data: bytes) -> None:
    if len(data) > _RUN_LENGTH_BYTES and little(data[30:34]) in _RUN_LENGTH:
        message = f"FaceSieve does not read run-length BMPs of more than {_RUN_LENGTH_BYTES:,} bytes."
        raise Refused(RefusalCode.UNSUPPORTED_FORMAT, message)
