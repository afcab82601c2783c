"""Finds settings that cannot work, alone or together, before the service starts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from facesieve.decode.formats import SUPPORTED
from facesieve.errors import SettingsError
from facesieve.service.held_bytes import HELD_BY_ONE
from facesieve.settings import ServiceSettings

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]+", re.IGNORECASE)


def check_settings(settings: ServiceSettings) -> None:
    """Raise SettingsError `bad_setting` for the first setting that cannot work."""
    for name, wrong in _problems(settings):
        raise SettingsError("bad_setting", f"Setting {name!r}: {wrong}.")


def _problems(settings: ServiceSettings) -> Iterator[tuple[str, str]]:
    formats = ", ".join(SUPPORTED)
    if not settings.formats:
        yield "formats", f"it is empty; the formats are {formats}"
    for format in settings.formats:
        if format not in SUPPORTED:
            yield "formats", f"{format!r} is not a format; the formats are {formats}"
    if settings.max_image_bytes > settings.max_request_bytes:
        yield "max_image_bytes", f"it is above max_request_bytes ({settings.max_request_bytes}), so raise that too"
    if settings.max_request_bytes > settings.max_held_bytes * HELD_BY_ONE:
        least = int(settings.max_request_bytes / HELD_BY_ONE) + 1
        yield "max_held_bytes", f"one request may hold {HELD_BY_ONE:.0%} of it, so max_request_bytes needs {least}"
    for origin in settings.allowed_origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            yield "allowed_origins", f"{origin!r} is not an origin; write it like https://tool.example, or *"
    if not settings.behind_proxy:
        for name in ("trusted_proxies", "proxies", "client_header"):
            if name in settings.model_fields_set:
                yield name, "it has no effect without behind_proxy"
