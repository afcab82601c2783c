"""The nouns that travel through the pipeline. All frozen; none knows how it was made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """Where one picture comes from, before anything is read.

    name: what reports call it: a path, `archive.zip!member`, or `<bytes 0>`.
    label: the identity it is filed under, or "" for none.
    open: returns a binary stream of the encoded picture; picklable, so that a worker process can call it.
    fingerprint: cheap evidence of content (size and times, or an archive's CRC); "" when there is none.
    pixels: an upright RGB picture (H, W, 3) uint8 handed in by the caller; then `open` is None.
    image: a Pillow image handed in by the caller; then `open` is None.
    identity: what tells this source from all others: the raw bytes of its absolute path, and a NUL
        byte before what lies in an archive or list. b"" takes the name.
    former: the name that version 0.1.0 wrote for this source, where it differs from `name`; else "".
    cost: how many still pictures it counts as when a build is cut into shards; more than 1 for a clip.
    """

    name: str
    label: str = ""
    open: Callable[[], BinaryIO] | None = None
    fingerprint: str = ""
    pixels: Pixels | None = None
    identity: bytes = b""
    former: str = ""
    image: Any = None
    cost: int = 1

    @property
    def key(self) -> bytes:
        """What two sources have in common only if they are the same one."""
        return self.identity or self.name.encode("utf-8", "surrogatepass")


def displayed(name: str) -> str:
    """A name that every file and terminal can hold.

    Only control characters and bytes that are not UTF-8 become escapes; everything else stays, so that a path
    stays a path.
    """
    if name.isprintable():
        return name
    return _UNSAFE.sub(lambda found: _escaped(found[0]), name)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded picture: the only pixels any stage sees.

    pixels: (H, W, 3) uint8, RGB, upright (EXIF orientation applied).
    picture_id: sha256 of the encoded bytes, 64 hex digits.
    format: the sniffed format in lower case (`jpeg`, `png`, ...), or `array`.
    turn: degrees clockwise that the upright picture was turned to find faces: 0, 90, 180 or 270; see `turned`.
    frame: its number in a clip, from 0; 0 for a still picture. time: its seconds in a clip; None for a still picture.
    """

    source: Source
    picture_id: str
    pixels: Pixels
    format: str
    turn: int = 0
    frame: int = 0
    time: float | None = None

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def turned(self, degrees: int) -> Photo:
        """The same picture turned clockwise by 90, 180 or 270 degrees."""
        pixels = np.ascontiguousarray(np.rot90(self.pixels, -degrees // 90))
        return replace(self, pixels=pixels, turn=(self.turn + degrees) % 360)


class RefusalCode(StrEnum):
    """Why a picture gave no pixels: a closed list, each with the one sentence that people read."""

    sentence: str

    def __new__(cls, code: str, sentence: str) -> RefusalCode:
        member = str.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    EMPTY = "empty", "The file has no bytes."
    NOT_AN_IMAGE = "not_an_image", "This file is not a picture."
    UNSUPPORTED_FORMAT = "unsupported_format", "The content is of a format, or a variant of one, that is not decoded."
    TRUNCATED = "truncated", "The picture ends before all its pixels are there."
    CORRUPT = "corrupt", "The picture's content is damaged."
    TOO_MANY_BYTES = "too_many_bytes", "The file is larger than max_file_bytes."
    TOO_MANY_PIXELS = "too_many_pixels", "The picture has more pixels than max_pixels."
    TOO_LONG_SIDE = "too_long_side", "A side of the picture is longer than max_side."
    TOO_MANY_SCANS = "too_many_scans", "The JPEG is drawn in more passes than max_jpeg_scans."
    BAD_PIXELS = "bad_pixels", "The array is not a picture of shape (H, W, 3) and type uint8."
    RAW = "raw", "The file is a camera's raw file without a full-size preview; convert it to JPEG or TIFF first."
    UNREADABLE = "unreadable", "The file cannot be opened or read."
    NOT_A_FILE = "not_a_file", "It is a pipe, socket or device, not a regular file."
    OUT_OF_MEMORY = "out_of_memory", "There was not enough memory to read the picture; try again later."
    TOO_SLOW = "too_slow", "Reading the picture took longer than the time limit for one picture."
    BAD_ROW = "bad_row", "The row of the list names no file."
    UNSAFE_NAME = "unsafe_name", "The archive member's name is absolute, climbs out with '..', or is too long."
    OUTSIDE_TREE = "outside_tree", "The link leads out of the folder or archive that holds it."
    ENCRYPTED = "encrypted", "The archive member is encrypted."
    BAD_ARCHIVE = "bad_archive", "The archive, or the rest of it, cannot be read."
    BAD_URL = "bad_url", "The URL is not one that can be fetched."
    FORBIDDEN_ADDRESS = (
        "forbidden_address",
        "The URL leads to an address that is not public; fetch_allow_addresses admits networks of your own.",
    )
    FETCH_FAILED = "fetch_failed", "The URL could not be fetched."
    FETCH_TIMEOUT = "fetch_timeout", "The host took longer than fetch_connect_timeout or fetch_timeout."
    TOO_MANY_REDIRECTS = "too_many_redirects", "The URL redirects more often than fetch_redirects."
    DISALLOWED_BY_ROBOTS_HEADER = (
        "disallowed_by_robots_header",
        "The host forbids the use of the picture for training (X-Robots-Tag).",
    )
    CRASHED = "crashed", "The process that worked on the picture died of it."
    DUPLICATE = "duplicate", "The same bytes came in under another name."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A picture that gave no pixels, and why.

    code: one of `RefusalCode`. message: one sentence without paths.
    picture_id: sha256 of the bytes when they could be read, else "".
    width, height, format: what the header said, or 0, 0, "".
    """

    source: Source
    code: str
    message: str
    picture_id: str = ""
    width: int = 0
    height: int = 0
    format: str = ""


@dataclass(frozen=True, slots=True)
class Faces:
    """N faces over a whole batch of photos; row order is photo order, then descending confidence.

    photo: (N,) intp, the index of each face's photo in the batch.
    boxes: (N, 4) float64, x, y, w, h in pixels of the upright picture; they may reach beyond it.
    confidence: (N,) float64, in [0, 1].
    landmarks: (N, 5, 2) float64, x, y of the viewer's left eye, right eye, nose, left and right mouth corner.
    """

    photo: Indices
    boxes: Floats
    confidence: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.photo)

    def take(self, rows: Mask | Indices | slice) -> Faces:
        """Some of the faces, by mask, index or slice."""
        return Faces(self.photo[rows], self.boxes[rows], self.confidence[rows], self.landmarks[rows])

    @classmethod
    def join(cls, parts: Iterable[Faces]) -> Faces:
        """The faces of several parts, one part after the other."""
        columns = zip(
            *((part.photo, part.boxes, part.confidence, part.landmarks) for part in (cls.none(), *parts)), strict=True
        )
        return cls(*map(np.concatenate, columns))

    @classmethod
    def none(cls) -> Faces:
        """Zero faces."""
        return cls(np.empty(0, np.intp), np.empty((0, 4)), np.empty(0), np.empty((0, 5, 2)))


@dataclass(frozen=True, slots=True)
class Measures:
    """Raw numbers about N faces: one (N,) float64 column a measure, NaN where it was not measured.

    Names, units and meanings are listed in `facesieve.quality.MEASURES`.
    """

    columns: Mapping[str, Floats]

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name]

    def row(self, index: int) -> dict[str, float]:
        """The measures of one face by name; NaN means not measured."""
        return {name: float(column[index]) for name, column in self.columns.items()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the sieve says of a face: kept, or not and *all* the reasons why (codes of `sieve.Reason`)."""

    kept: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face with all that is known of it.

    face_id: 32 hex digits derived from the picture's sha256 and the box.
    box: x, y, w, h; landmarks: (5, 2); both in pixels of the upright picture, turned by
    `Photo.turn`. A box may reach beyond the picture.
    crop: (S, S, 3) uint8 RGB, aligned to the template.
    measures: raw numbers by name; NaN means not measured.
    """

    face_id: str
    box: tuple[float, float, float, float]
    landmarks: Floats
    confidence: float
    crop: Pixels
    measures: Mapping[str, float]
    verdict: Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """The answer for one source: either a photo with zero or more faces, or a refusal."""

    source: Source
    photo: Photo | None = None
    refusal: Refusal | None = None
    faces: tuple[Face, ...] = field(default=())

    @property
    def kept(self) -> tuple[Face, ...]:
        return tuple(face for face in self.faces if face.verdict.kept)
