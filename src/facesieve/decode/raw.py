"""Camera raw files: the full-size JPEG inside is used as the photo; a thumbnail never is."""

from __future__ import annotations

from collections.abc import Iterator

from facesieve.decode.exif import ORIENTATION
from facesieve.decode.jpeg_stream import JpegHeader, read_header
from facesieve.decode.tiff_tags import Directory, directories
from facesieve.errors import Refused
from facesieve.records import RefusalCode

# The first bytes of raw files that no TIFF reader can open.
MAGIC = (
    b"FUJIFILMCCD-RAW",
    b"IIRO",
    b"IIRS",
    b"MMOR",
    b"IIU\0",
    b"FOVb",
    b"\0MRM",
    b"ARRI",
)
BRANDS = {b"crx "}

_KIND, _WIDTH, _HEIGHT, _COMPRESSION, _INTERPRETATION = 254, 256, 257, 259, 262
_REDUCED = 1  # bit of the kind (NewSubfileType, TIFF 6.0 section 8)
_STRIPS, _STRIP_BYTES, _JPEG, _JPEG_BYTES, _DNG_VERSION = 273, 279, 513, 514, 50706
_SENSOR = {32803, 34892}  # interpretation: colour filter array, linear raw
_SENSOR_COMPRESSION = {262, 32767, 32769, 32770, 34713, 34892, 65000, 65535}  # of Kodak, Sony, Samsung, Nikon, Pentax
_JPEG_COMPRESSION = {6, 7, 99}
# Limits on the work for one file: cameras write small headers, but a hostile file may have hundreds of large ones.
_MOST_SEGMENTS = 1 << 10  # of one JPEG
_MOST_HEADER, _MOST_HEADERS = 1 << 22, 1 << 24  # bytes of one JPEG, and of all
_FULL_SIZE = 0.85  # of the sensor's sides: its border shows no picture, and cameras crop a little


def is_raw(data: bytes) -> bool:
    """Whether a TIFF file holds a sensor's samples: DNG, NEF, NRW, CR2, ARW, SR2, PEF, SRW and similar formats."""
    if data[8:10] == b"CR":
        return True
    found = list(directories(data))
    if any(_DNG_VERSION in directory.entries or _of_sensor(directory) for directory in found):
        return True
    # Also a raw file of an unknown kind: its first picture says that it is a smaller copy of another one.
    sizes = [directory.number(_WIDTH, 0) * directory.number(_HEIGHT, 0) for directory in found]
    return bool(found) and bool(found[0].number(_KIND, 0) & _REDUCED) and max(sizes) > sizes[0]


def full_size_preview(data: bytes) -> tuple[bytes, int]:
    """The embedded JPEG of the whole picture at the sensor's size, and the raw file's EXIF orientation.

    Raises Refused `raw` where there is none.
    """
    found = list(directories(data))
    headers = _Headers(data)
    sensors = [_size(directory, headers) for directory in found if _of_sensor(directory)]
    width, height = max(sensors, key=lambda size: size[0] * size[1], default=(0, 0))
    best, pixels = slice(0), 0
    for position in dict.fromkeys(position for directory in found for position in _jpegs(directory)):
        header = headers.at(*position)
        if header is None:
            continue
        sides = sorted((header.width, header.height))
        large = all(side >= _FULL_SIZE * full for side, full in zip(sides, sorted((width, height)), strict=True))
        if large and len(header.components) == 3 and header.precision == 8 and sides[0] * sides[1] > pixels:
            best, pixels = slice(position[0], sum(position)), sides[0] * sides[1]
    if not pixels or not width:
        raise Refused(RefusalCode.RAW)
    return data[best], next((directory.number(ORIENTATION, 1) for directory in found), 1)


class _Headers:
    """The headers of the JPEG files in a raw file. Each is read once, and all together only up to a limit."""

    def __init__(self, data: bytes) -> None:
        self._view = memoryview(data)
        self._left = _MOST_HEADERS
        self._read = dict[tuple[int, int], JpegHeader | None]()

    def at(self, start: int, length: int) -> JpegHeader | None:
        """None where no header can be read."""
        if (start, length) not in self._read:
            part = self._view[start : start + min(length, _MOST_HEADER, self._left)]
            try:
                header = read_header(part, _MOST_SEGMENTS)
                self._left -= header.scan
            except Refused:
                header = None
                self._left -= len(part)
            self._read[start, length] = header
        return self._read[start, length]


def _of_sensor(directory: Directory) -> bool:
    if directory.number(_INTERPRETATION, -1) in _SENSOR:
        return True
    if directory.number(_COMPRESSION, -1) in _SENSOR_COMPRESSION:
        return True
    # Canon's CR2 keeps its samples as lossless JPEG and does not repeat their size in the directory.
    return directory.data[8:10] == b"CR" and _WIDTH not in directory.entries and _STRIPS in directory.entries


def _size(directory: Directory, headers: _Headers) -> tuple[int, int]:
    """Width and height as the directory states them, or else the lossless JPEG that it points to."""
    size = directory.number(_WIDTH, 0), directory.number(_HEIGHT, 0)
    if all(size):
        return size
    start, length = directory.number(_STRIPS, 0), directory.number(_STRIP_BYTES, 0)
    header = headers.at(start, length)
    if header is None:
        return 0, 0
    return header.width * len(header.components), header.height


def _jpegs(directory: Directory) -> Iterator[tuple[int, int]]:
    """Start and length of the JPEG files that a directory points to, except those that hold a sensor's samples."""
    if _of_sensor(directory):
        return
    pairs = [(directory.number(_JPEG, 0), directory.number(_JPEG_BYTES, 0))]
    if directory.number(_COMPRESSION, 0) in _JPEG_COMPRESSION and len(directory.numbers(_STRIPS, 2)) == 1:
        pairs.append((directory.number(_STRIPS, 0), directory.number(_STRIP_BYTES, 0)))
    for start, length in pairs:
        if start and length and directory.data.startswith(b"\xff\xd8\xff", start):
            yield start, length
