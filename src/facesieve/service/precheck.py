"""What the first bytes of a picture say, checked before it may wait for a worker. No decoder runs here."""

from __future__ import annotations

from facesieve.decode.formats import SUPPORTED, sniff
from facesieve.decode.header import check_size, declared_size
from facesieve.errors import Refused, SettingsError
from facesieve.records import RefusalCode
from facesieve.service.faults import fault_of
from facesieve.settings import ServiceSettings, Settings

# The check costs at most some milliseconds whatever the bytes are; what stands later is checked by the worker.
_HEAD = 1 << 16


def bounded(settings: Settings, service: ServiceSettings) -> Settings:
    """The pipeline's settings with the service's limits on pictures."""
    return settings.model_copy(
        update={
            "max_file_bytes": service.max_image_bytes,
            "max_pixels": service.max_pixels,
            "max_side": service.max_side,
        }
    )


def check_formats(formats: tuple[str, ...]) -> None:
    """Raise SettingsError for the setting `formats` when it is empty or has a format that no decoder reads."""
    unknown = [format for format in formats if format not in SUPPORTED]
    if unknown or not formats:
        wrong = f"{unknown[0]!r} is not a format" if unknown else "it is empty"
        raise SettingsError("bad_setting", f"Setting 'formats': {wrong}; the formats are {', '.join(SUPPORTED)}.")


def precheck(image: bytes, settings: Settings, formats: tuple[str, ...]) -> None:
    """Raise Fault for a picture that is too large, or of a format that the setting `formats` does not name.

    settings: `bounded` ones.
    """
    try:
        if len(image) > settings.max_file_bytes:
            raise Refused(RefusalCode.TOO_MANY_BYTES)
        head = image[:_HEAD]
        format = sniff(head)
        if format not in formats:
            raise Refused(RefusalCode.UNSUPPORTED_FORMAT, f"Pictures of format {format} are not taken here.")
        check_size(declared_size(format, head), settings)
    except Refused as refused:
        raise fault_of(refused.code, refused.message) from None
