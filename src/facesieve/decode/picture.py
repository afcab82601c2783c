"""Decodes bytes to the picture that every later stage uses, or to a refusal; raises nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np

from facesieve.decode.animation import ANIMATED
from facesieve.decode.clip import animation_photos, clip_photos
from facesieve.decode.containers import clip_format
from facesieve.decode.cost import Size, check_cost, check_size
from facesieve.decode.formats import sniff
from facesieve.decode.header import UNKNOWN, declared_size, ends_early
from facesieve.decode.jpeg import decode_jpeg
from facesieve.decode.netpbm import decode_netpbm
from facesieve.decode.out_of_memory import lacks_memory_for
from facesieve.decode.pillow_image import from_image
from facesieve.decode.quiet import quiet
from facesieve.decode.raw import full_size_preview
from facesieve.decode.still import decode_still
from facesieve.errors import Refused, is_about_memory
from facesieve.records import Photo, Pixels, Refusal, RefusalCode, Source
from facesieve.settings import Settings

_CHUNK = 1 << 20
_SAYS_TRUNCATED = ("truncated", "premature end", "not enough image data", "end of file", "unexpected end")
_SAYS_UNSUPPORTED = ("unsupported", "unknown", "not supported", "cannot handle", "not implemented")


class DecodedBatch(NamedTuple):
    """Photos and refusals in the order of their sources. Those of one source are next to each other."""

    results: Sequence[Photo | Refusal]

    @property
    def photos(self) -> list[Photo]:
        return [result for result in self.results if isinstance(result, Photo)]


def decode(sources: Sequence[Source], settings: Settings) -> DecodedBatch:
    """Each source as a photo or a refusal. A clip is refused, because its frames may be too many for one batch."""
    return DecodedBatch([decode_one(source, settings) for source in sources])


def batches(sources: Iterable[Source], settings: Settings) -> Iterator[DecodedBatch]:
    """Decode sources in order, lazily. A batch is full at `batch_size` pictures or `batch_pixels` pixels.

    A clip becomes many photos, and a batch holds either frames of clips or pictures. Because of `batch_pixels`, large
    photos do not need memory for `batch_size` of them.
    """
    batch: list[Photo | Refusal] = []
    pixels = 0
    for result in (result for source in sources for result in decode_each(source, settings)):
        if batch and _is_frame(result) != _is_frame(batch[-1]):
            yield DecodedBatch(batch)
            batch, pixels = [], 0
        batch.append(result)
        pixels += result.width * result.height
        del result  # so that this loop holds no picture while the next one is decoded
        if len(batch) == settings.batch_size or pixels >= settings.batch_pixels:
            yield DecodedBatch(batch)
            batch, pixels = [], 0
    if batch:
        yield DecodedBatch(batch)


def _is_frame(result: Photo | Refusal) -> bool:
    return isinstance(result, Photo) and result.time is not None


def decode_each(source: Source, settings: Settings) -> Iterator[Photo | Refusal]:
    """Yield the photos of one source: one of a picture, see `decode_one`, and many of a clip, see `clip_photos`."""
    if source.open is None:
        yield decode_one(source, settings)
        return
    with ExitStack() as opened:
        data, clip = b"", ""
        try:
            with _read_errors():
                stream = opened.enter_context(source.open())
                data = _at_most(stream.read, min(_CHUNK, settings.max_file_bytes + 1))
                clip = clip_format(data)
                data = data if clip else _all(data, stream, settings)
        except Refused as refused:
            yield _refusal(source, refused)
            return
        if clip:
            yield from clip_photos(source, stream, data, clip, settings)
            return
    frames = False
    for result in _animation(source, data, settings):
        frames = True
        yield result
    if not frames:
        yield _from_bytes(source, data, settings)


def _animation(source: Source, data: bytes, settings: Settings) -> Iterator[Photo | Refusal]:
    """The frames of an animated picture, if they are wanted; nothing for every other picture."""
    if settings.animated == "first":
        return
    try:
        format = sniff(data)
    except Refused:  # it is refused again when it is read as a picture
        return
    if format in ANIMATED:
        yield from animation_photos(source, data, format, settings)


def decode_one(source: Source, settings: Settings) -> Photo | Refusal:
    """The picture of one source, upright, (H, W, 3) uint8 RGB, or why there is none. Raises nothing.

    At most `max_file_bytes` + 1 bytes are read. They show the format, and the size limits are applied to the header
    before any decoder runs. The first frame of animations and multi-page files is used. Every exception of a decoder
    becomes a refusal; a lack of memory becomes `out_of_memory`. A crash of a decoder ends the process, so decode
    untrusted files in a child process.
    """
    try:
        if source.pixels is not None:
            return _from_array(source, source.pixels, settings)
        if source.image is not None:
            return _from_image(source, settings)
        return _from_bytes(source, _read(source, settings), settings)
    except Refused as refused:
        return _refusal(source, refused)


def _from_bytes(source: Source, data: bytes, settings: Settings) -> Photo | Refusal:
    picture_id = hashlib.sha256(data).hexdigest()
    format, size = "", UNKNOWN
    try:
        format = sniff(data)
        size = declared_size(format, data)
        check_cost(format, size, len(data), settings)
        return Photo(source, picture_id, _pixels(format, data, size, settings), format)
    except Refused as refused:
        return _refusal(source, refused, picture_id, format, *size)


def _pixels(format: str, data: bytes, size: Size, settings: Settings) -> Pixels:
    """Upright (H, W, 3) uint8 RGB. Whatever a decoder raises becomes Refused with one of four codes."""
    try:
        with quiet():
            if format == "jpeg":
                return decode_jpeg(data, settings)
            if format == "raw":
                return decode_jpeg(*_preview(data, settings))
            if format == "netpbm":
                return decode_netpbm(data, settings)
            if format == "heif":
                from facesieve.decode.heif import decode_heif  # libheif is large, and few pictures need it

                return decode_heif(data, settings)
            return decode_still(format, data, settings)
    except Refused:
        raise
    except Exception as error:
        if is_about_memory(error) or lacks_memory_for(format, size):
            raise Refused(RefusalCode.OUT_OF_MEMORY) from error
        code = RefusalCode.TRUNCATED if ends_early(format, data) else _code_of(error)
        raise Refused(code) from error


def _preview(data: bytes, settings: Settings) -> tuple[bytes, Settings, int]:
    preview, orientation = full_size_preview(data)
    return preview, settings, orientation


def _code_of(error: Exception) -> RefusalCode:
    said = str(error).lower()
    if isinstance(error, EOFError) or any(words in said for words in _SAYS_TRUNCATED):
        return RefusalCode.TRUNCATED
    if any(words in said for words in _SAYS_UNSUPPORTED):
        return RefusalCode.UNSUPPORTED_FORMAT
    return RefusalCode.CORRUPT


def _from_array(source: Source, pixels: Pixels, settings: Settings) -> Photo:
    """Pixels that the caller passed in; their `picture_id` is the sha256 of shape and bytes."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise Refused(RefusalCode.BAD_PIXELS)
    check_size((pixels.shape[1], pixels.shape[0]), settings)
    pixels = np.ascontiguousarray(pixels)
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.data)
    return Photo(source, digest.hexdigest(), pixels, "array")


def _from_image(source: Source, settings: Settings) -> Photo:
    """A Pillow image that the caller passed in; its `picture_id` is that of the array of its pixels."""
    check_size(source.image.size, settings)
    try:
        with quiet():
            pixels = from_image(source.image)
    except Refused:
        raise
    except Exception as error:
        raise Refused(_code_of(error)) from error
    return _from_array(source, pixels, settings)


def _read(source: Source, settings: Settings) -> bytes:
    if source.open is None:
        raise Refused(RefusalCode.UNREADABLE)
    with _read_errors(), source.open() as stream:
        return _all(b"", stream, settings)


@contextmanager
def _read_errors() -> Iterator[None]:
    """Turn whatever the opener or the stream of a source raises into Refused."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:  # a file is gone, a checksum in an archive is wrong, or the caller's own opener fails
        raise Refused(RefusalCode.OUT_OF_MEMORY if is_about_memory(error) else RefusalCode.UNREADABLE) from error


def _all(head: bytes, stream: BinaryIO, settings: Settings) -> bytes:
    """All bytes of a picture. head: those that were read already. Raises Refused `too_many_bytes`."""
    limit = settings.max_file_bytes
    data = _at_most(stream.read, limit + 1, head)
    if len(data) > limit:
        raise Refused(RefusalCode.TOO_MANY_BYTES)
    return data


def _at_most(read: Callable[[int], bytes], limit: int, head: bytes = b"") -> bytes:
    """Read at most `limit` bytes, with those of `head`, which were read already.

    A stream may return fewer than asked before its end; only b"" is the end.
    """
    parts, left = [head], limit - len(head)
    while left > 0 and (part := read(min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _refusal(
    source: Source, refused: Refused, picture_id: str = "", format: str = "", width: int = 0, height: int = 0
) -> Refusal:
    message = refused.message or refused.code.sentence
    return Refusal(source, refused.code.value, message, picture_id, width, height, format)
