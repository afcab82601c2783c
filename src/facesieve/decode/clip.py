"""A clip as photos: the frames that are used, one after the other, with their times and scenes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import BinaryIO

from facesieve.decode.animation import Animation, opened_animation
from facesieve.decode.capture import Capture, opened
from facesieve.decode.clip_file import clip_file
from facesieve.decode.containers import is_cut_off
from facesieve.decode.cost import check_cost
from facesieve.decode.sample_tables import check_samples
from facesieve.decode.sampling import ALMOST, Clock, Sampler, Scenes
from facesieve.errors import Refused, is_about_memory
from facesieve.records import Clip, Photo, Pixels, Refusal, RefusalCode, Source, Truncated
from facesieve.settings import Settings

MISSING, MISSING_SHARE = 0.5, 0.02  # seconds, or share of the length, that may be missing at the end of a whole clip
COVER_FPS = 1000.0  # frames per second; a file of one frame that states more has a cover, no video
OFTEN = 64  # frames after which a clip that goes on is reported


def clip_photos(
    source: Source, stream: BinaryIO, head: bytes, format: str, settings: Settings
) -> Iterator[Photo | Refusal]:
    """The frames of a clip that are used, in order; the last has `Photo.clip`. A refusal if the clip cannot be read.

    Only a few frames are in memory at a time. If the reading fails after some frames, a refusal follows them, and they
    do not count. stream: the clip after its first bytes, which are `head`. A crash of a decoder ends the process.
    """
    waiting = source.waiting or _nothing
    picture_id, size = "", (0, 0)
    try:
        with ExitStack() as stack:
            file = clip_file(stream, head, settings.max_clip_bytes, waiting)
            path, picture_id, length = stack.enter_context(file)
            if format in ("mp4", "mov"):
                check_samples(path, length)
            capture = stack.enter_context(opened(path, settings.threads))
            size = capture.size
            check_cost("clip", size, length, settings)
            _check_length(capture.duration or 0.0, settings)
            new, cut_off = _NewPhoto(source, picture_id, format), is_cut_off(format, head, length)
            yield from _frames(capture, new, settings, waiting, cut_off)
    except Refused as refused:
        message = refused.message or refused.code.sentence
        yield Refusal(source, refused.code.value, message, picture_id, *size, format)
    except Exception as error:
        code = RefusalCode.OUT_OF_MEMORY if is_about_memory(error) else RefusalCode.UNREADABLE
        yield Refusal(source, code.value, code.sentence, picture_id, *size, format)


def animation_photos(source: Source, data: bytes, format: str, settings: Settings) -> Iterator[Photo | Refusal]:
    """The same for an animated picture. Yields nothing if it has a single frame."""
    picture_id = hashlib.sha256(data).hexdigest()
    try:
        with opened_animation(format, data, settings) as animation:
            if animation is not None:
                new = _NewPhoto(source, picture_id, format)
                yield from _frames(animation, new, settings, source.waiting or _nothing)
    except Refused as refused:
        message = refused.message or refused.code.sentence
        yield Refusal(source, refused.code.value, message, picture_id, format=format)
    except Exception as error:  # each decoder has its own
        code = RefusalCode.OUT_OF_MEMORY if is_about_memory(error) else RefusalCode.CORRUPT
        yield Refusal(source, code.value, code.sentence, picture_id, format=format)


@dataclass(frozen=True, slots=True)
class _NewPhoto:
    source: Source
    picture_id: str
    format: str

    def __call__(self, pixels: Pixels, frame: int, time: float, scene: int, share: float) -> Photo:
        photo = Photo(self.source, self.picture_id, pixels, self.format, frame=frame, time=time)
        return replace(photo, scene=scene, share=share)


def _frames(
    capture: Capture | Animation,
    new: _NewPhoto,
    settings: Settings,
    waiting: Callable[[], None],
    cut_off: bool = False,
) -> Iterator[Photo]:
    """The photos. Each is held back until the next one is read, because the last one must carry `Photo.clip`.

    cut_off: whether the end of the file may be missing.
    """
    clock, sampler, scenes = Clock(capture.fps), Sampler(settings, capture.duration), Scenes()
    held: Photo | None = None
    number, truncated = 0, ""
    while True:
        stamp = capture.grab()
        if stamp is None:
            truncated = Truncated.ENDS_EARLY if cut_off and _lacks_end(clock.end, capture.duration) else ""
            break
        time = clock.tick(stamp)
        _check_length(time, settings)
        if sampler.is_over(time):
            break
        if number % OFTEN == 0:
            waiting()
        number += 1
        if not sampler.takes(time):
            continue
        if sampler.is_full:
            truncated = Truncated.FRAME_LIMIT if sampler.used >= settings.max_clip_frames else ""
            break
        pixels = capture.pixels()
        if pixels is None:
            continue
        if not scenes.add(pixels) and settings.clip_frames == "scene":
            continue
        if held is not None:
            yield held
        held = new(pixels, number - 1, time, scenes.number, sampler.share(time))
        sampler.used += 1
        del pixels
        waiting()
    if held is None:
        raise Refused(RefusalCode.NO_VIDEO, _no_frame(number))
    if number == 1 and _is_cover(capture):
        raise Refused(RefusalCode.NO_VIDEO, "This file has sound and a cover picture, but no video.")
    clip = Clip(sampler.used, clock.end, capture.fps, capture.codec, str(truncated))
    yield replace(held, clip=clip)


def _check_length(seconds: float, settings: Settings) -> None:
    """Refuse a clip that is too long, by its header or by the time of a frame. Raises Refused `too_long`."""
    if settings.max_clip_seconds and seconds > settings.max_clip_seconds + ALMOST:
        raise Refused(RefusalCode.TOO_LONG, f"The clip is longer than {settings.max_clip_seconds:g} s.")


def _lacks_end(end: float, duration: float | None) -> bool:
    """Whether a clip ended before the time that its header says."""
    return duration is not None and end < duration - max(MISSING, MISSING_SHARE * duration)


def _is_cover(capture: Capture | Animation) -> bool:
    """Whether the only frame of a file is the cover of a sound: FFmpeg says that it lasts one tick of its clock."""
    return capture.fps is not None and capture.fps > COVER_FPS and (capture.duration or 0.0) > COVER_FPS / capture.fps


def _no_frame(number: int) -> str:
    return f"None of the {number} frames that were read is between clip_from and clip_to." if number else ""


def _nothing() -> None:
    pass
