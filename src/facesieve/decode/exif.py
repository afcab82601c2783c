"""Reads the orientation in an EXIF block, and no other part of it."""

from __future__ import annotations

from facesieve.decode.tiff_tags import first_directory

ORIENTATION = 0x0112


def orientation_of(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it is invalid.

    exif: a TIFF structure, with or without `Exif` and two zero bytes before it.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    try:
        value = first_directory(exif).number(ORIENTATION, 1)
    except ValueError:
        return 1
    return value if 1 <= value <= 8 else 1
