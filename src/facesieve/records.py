"""The values that the stages of the pipeline pass to each other. All are frozen."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from facesieve.codes import Code

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Floats16 = npt.NDArray[np.float16]
Integers = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
ByHand = npt.NDArray[np.int8]  # (N,) KEEP, REJECT, or 0 for a face that nobody decided about

POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")  # the order of landmarks; left is the viewer's
ANGLES = ("pitch", "yaw", "roll")  # the order of head poses
EMBEDDING_SIZE = 128  # numbers of an embedding, for every model of the catalog
TEMPLATE_SIZE = 112  # side in pixels of the aligned crop that landmarks, measures and thresholds refer to

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """One picture before it is read.

    name: its name in manifests and messages: a path, `archive.zip!member`, or `<bytes 0>`.
    label: the person it is filed under, or "" for none.
    open: returns a binary stream of the encoded picture; picklable, so that a worker process can call it.
    fingerprint: changes if the content changes (size and times, or the CRC in an archive); "" if there is none.
    pixels: an upright RGB picture (H, W, 3) uint8 from the caller; then `open` is None.
    image: a Pillow image from the caller; then `open` is None.
    identity: what distinguishes this source from all others: the raw bytes of its absolute path, and for a member of an
        archive or a list also a NUL byte and the name of the member. b"" means that `name` distinguishes it.
    former: the name that version 0.1.0 wrote for this source if it differs from `name`; else "".
    cost: how many still pictures it counts as when a build is divided into shards; more than 1 for a clip.
    waiting: called regularly while a clip is read, because a decoder that reports nothing for long is killed.
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
    waiting: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> bytes:
        """The identity, or the name if there is no identity. Equal only for the same source."""
        return self.identity or self.name.encode("utf-8", "surrogatepass")


def displayed(name: str) -> str:
    """A name that can be written to every file and terminal.

    Only control characters and bytes that are not UTF-8 are escaped, so that a path stays readable.
    """
    if name.isprintable():
        return name
    return _UNSAFE.sub(lambda found: _escaped(found[0]), name)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # Python stores a byte that is not UTF-8 this way
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


@dataclass(frozen=True, slots=True)
class Clip:
    """What is known of a clip when its last frame is read.

    frames: how many frames became photos. duration: seconds up to the end of the last frame that was read. fps: frames
    per second as the file says; None if it says none. codec: its four characters, or the format of an animated picture.
    truncated: why not all of it was read (a code of `Truncated`), or "".
    """

    frames: int
    duration: float
    fps: float | None
    codec: str
    truncated: str = ""


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded picture. All stages work on these pixels.

    pixels: (H, W, 3) uint8, RGB, upright (EXIF orientation applied).
    picture_id: sha256 of the encoded bytes, 64 hex digits.
    format: the sniffed format in lower case (`jpeg`, `png`, ...), or `array`.
    turn: degrees by which the upright picture was turned clockwise to find faces: 0, 90, 180 or 270.
    frame: the number of the frame in a clip, from 0; 0 for a still picture. time: of the frame in seconds; None for a
    still picture. scene: the number of the scene in the clip, from 0; a cut begins the next one. share: how much of the
    clip is read, from 0 to 1, as far as its header says how long it is. clip: set in the last photo of a clip, and only
    there.
    """

    source: Source
    picture_id: str
    pixels: Pixels
    format: str
    turn: int = 0
    frame: int = 0
    time: float | None = None
    scene: int = 0
    share: float = 0.0
    clip: Clip | None = None

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def turned(self, degrees: int) -> Photo:
        """Return the picture turned clockwise by 90, 180 or 270 degrees."""
        pixels = np.ascontiguousarray(np.rot90(self.pixels, -degrees // 90))
        return replace(self, pixels=pixels, turn=(self.turn + degrees) % 360)


class RefusalCode(Code):
    """Why a picture was not read. Each code has one sentence for people."""

    EMPTY = "empty", "The file has no bytes."
    NOT_AN_IMAGE = "not_an_image", "This file is not a picture."
    PLAYLIST = "playlist", "This is a playlist, which names other files or URLs; FaceSieve does not follow it."
    NO_VIDEO = (
        "no_video",
        "No frame can be decoded: the clip has only sound, is damaged or cut short, or its codec is unknown.",
    )
    TOO_LONG = "too_long", "The clip is longer than max_clip_seconds."
    UNSUPPORTED_FORMAT = "unsupported_format", "FaceSieve does not read this picture format, or this variant of it."
    TRUNCATED = "truncated", "The file ends before the picture is complete."
    CORRUPT = "corrupt", "The picture is damaged."
    TOO_MANY_BYTES = "too_many_bytes", "The file is larger than max_file_bytes."
    TOO_MANY_PIXELS = "too_many_pixels", "The picture has more pixels than max_pixels."
    TOO_LONG_SIDE = "too_long_side", "A side of the picture is longer than max_side."
    TOO_MANY_SCANS = "too_many_scans", "The JPEG has more scans than max_jpeg_scans."
    BAD_PIXELS = "bad_pixels", "The array is not a picture of shape (H, W, 3) and type uint8."
    RAW = "raw", "This camera raw file has no full-size preview; convert it to JPEG or TIFF first."
    UNREADABLE = "unreadable", "The file cannot be opened or read."
    NOT_A_FILE = "not_a_file", "This is a pipe, socket or device, not a regular file."
    OUT_OF_MEMORY = "out_of_memory", "There was not enough memory to read the picture; try again later."
    TOO_SLOW = "too_slow", "Reading the picture took longer than the time limit for one picture."
    BAD_ROW = "bad_row", "This row of the list names no picture."
    UNSAFE_NAME = "unsafe_name", "The name in the archive is absolute, contains '..', or is too long."
    OUTSIDE_TREE = "outside_tree", "The link points outside the folder or archive that holds it."
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
    CRASHED = "crashed", "The process that worked on this picture crashed."
    DUPLICATE = "duplicate", "The same file was already read under another name."


class Truncated(Code):
    """Why a clip was not read to its end. Each code has one sentence for people."""

    ENDS_EARLY = "ends_early", "The clip ends before the time that its header says."
    FRAME_LIMIT = "frame_limit", "The clip has more frames than max_clip_frames."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A picture that was not read, and why.

    code: one of `RefusalCode`. message: one sentence without paths.
    picture_id: sha256 of the bytes if they could be read, else "".
    width, height, format: as the header of the file says, or 0, 0, "".
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
    """N faces in a batch of photos, in the order of the photos, then by descending confidence.

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
        """Concatenate the faces of several parts."""
        columns = zip(
            *((part.photo, part.boxes, part.confidence, part.landmarks) for part in (cls.none(), *parts)), strict=True
        )
        return cls(*map(np.concatenate, columns))

    @classmethod
    def none(cls) -> Faces:
        """Zero faces."""
        return cls(np.empty(0, np.intp), np.empty((0, 4)), np.empty(0), np.empty((0, 5, 2)))


class Poses(NamedTuple):
    """The head pose of N faces; NaN where it was not measured.

    degrees: (N, 3) pitch, yaw, roll in degrees, with the reference's signs.
    spread: (N,) degrees, the standard deviation of the least certain angle; NaN where the model does not tell.
    """

    degrees: Floats
    spread: Floats

    @classmethod
    def unmeasured(cls, count: int) -> Poses:
        """The poses of faces that were not measured."""
        return cls(np.full((count, 3), np.nan), np.full(count, np.nan))


@dataclass(frozen=True, slots=True)
class Measures:
    """Raw numbers about N faces: one (N,) float64 column per measure, NaN if it was not measured.

    `facesieve.quality.MEASURES` lists their names, units and meanings.
    """

    columns: Mapping[str, Floats]

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name]

    def row(self, index: int) -> dict[str, float]:
        """The measures of one face by name; `math.nan` means not measured.

        It is always that one object, because Python's dicts with it are then equal.
        """
        values = {name: float(column[index]) for name, column in self.columns.items()}
        return {name: math.nan if math.isnan(value) else value for name, value in values.items()}


# What a person decided about a face, and the reason in the verdict of a face that a person rejected.
KEEP, REJECT = 1, -1
BY_HAND = "by_hand"

# Codes of reasons that earlier versions wrote, and their present codes.
FORMER_REASONS = {"nodding": "pitched"}


class NoEmbedding(Code):
    """Why a face has no embedding. Each code has one sentence for people."""

    BLANK_CROP = "blank_crop", "All pixels of the crop have the same colour."
    NO_CROP = "no_crop", "The dataset has no crop of the face, because the face was rejected."
    NOT_COMPUTED = "not_computed", "The embedding was not computed yet; run `facesieve identify DATASET`."
    NOT_FINITE = "not_finite", "The network returned no finite numbers, or only zeros."


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """The embeddings of N faces.

    vectors: (N, 128) float16; zeros where there is none. missing: why there is none (a code of `NoEmbedding`), or "",
    for each face.
    """

    vectors: Floats16
    missing: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.missing)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a face: kept, or rejected with *all* reasons (codes of `sieve.Reason`)."""

    kept: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face with its crop, measures and verdict.

    face_id: 32 hex digits derived from the picture's sha256, the frame in a clip, and the box.
    box: x, y, w, h; landmarks: (5, 2); both in pixels of the upright picture, turned by
    `Photo.turn`. A box may reach beyond the picture.
    crop: (S, S, 3) uint8 RGB, aligned to the template.
    measures: raw numbers by name; NaN means not measured.
    crop_hash: 32 bytes that stay nearly the same when the picture is edited; b"" for a flat crop.
    embedding: (128,) float16, whose distances the setting `identity` defines; None if there is none. no_embedding: why
    there is none (a code of `NoEmbedding`), or "" if there is one or none was asked for.
    frame, time: of the clip, as in `Photo`. track: the number of the face's track in its clip, from 0; None for a face
    of a still picture, and as long as the clip goes on.
    """

    face_id: str
    box: tuple[float, float, float, float]
    landmarks: Floats
    confidence: float
    crop: Pixels
    measures: Mapping[str, float]
    verdict: Verdict
    crop_hash: bytes = b""
    embedding: Floats16 | None = None
    no_embedding: str = ""
    frame: int = 0
    time: float | None = None
    track: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """The result for one source, or for one frame of a clip: either a photo with zero or more faces, or a refusal."""

    source: Source
    photo: Photo | None = None
    refusal: Refusal | None = None
    faces: tuple[Face, ...] = field(default=())

    @property
    def kept(self) -> tuple[Face, ...]:
        return tuple(face for face in self.faces if face.verdict.kept)
