"""Checks the first bytes of a picture before it may wait for a worker. No decoder runs here."""

from __future__ import annotations

from facesieve.decode.containers import clip_format
from facesieve.decode.cost import check_size
from facesieve.decode.formats import sniff
from facesieve.decode.header import declared_size
from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.service.api_errors import error_of
from facesieve.settings import ServiceSettings, Settings

# Bytes that are checked here, which takes a few milliseconds at most. The worker checks the rest.
_HEAD = 1 << 16


def bounded(settings: Settings, service: ServiceSettings) -> Settings:
    """The pipeline's settings with the service's limits on pictures."""
    return settings.model_copy(
        update={
            "max_file_bytes": service.max_image_bytes,
            "max_pixels": service.max_pixels,
            "max_side": service.max_side,
            "max_clip_bytes": service.max_video_bytes,
            "max_clip_seconds": service.max_video_seconds,
            "max_clip_frames": service.max_video_frames,
        }
    )


def with_clip_bytes(settings: Settings, service: ServiceSettings) -> Settings:
    """The settings with room for the largest clip, if clips are accepted. settings: a result of `bounded`."""
    if not service.accept_video:
        return settings
    return settings.model_copy(update={"max_file_bytes": max(settings.max_file_bytes, service.max_video_bytes)})


def precheck(image: bytes, settings: Settings, formats: tuple[str, ...], clips: bool = False) -> None:
    """Raise ApiError for a picture that is too large, or whose format is not in `formats`.

    settings: a result of `bounded`. clips: whether clips are accepted; the worker checks their length and size.
    """
    try:
        if clips and clip_format(image[:_HEAD]):
            if len(image) > settings.max_clip_bytes:
                message = f"The clip has {len(image):,} bytes; max_video_bytes is {settings.max_clip_bytes:,}."
                raise Refused(RefusalCode.TOO_MANY_BYTES, message)
            return
        if len(image) > settings.max_file_bytes:
            message = f"The picture has {len(image):,} bytes; max_image_bytes is {settings.max_file_bytes:,}."
            raise Refused(RefusalCode.TOO_MANY_BYTES, message)
        head = image[:_HEAD]
        format = sniff(head)
        if format not in formats:
            taken = ", ".join(formats)
            raise Refused(RefusalCode.UNSUPPORTED_FORMAT, f"The picture is {format}; this service accepts {taken}.")
        check_size(declared_size(format, head), settings)
    except Refused as refused:
        raise error_of(refused.code, refused.message) from None
