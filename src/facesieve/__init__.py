"""Photos in; a clean, aligned, explainable face dataset out.

Names are imported when they are first used, so that `facesieve --help` does not wait for the networks.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facesieve.version import __version__

if TYPE_CHECKING:
    from facesieve.errors import DatasetError, FacesieveError, ModelError, PolicyError, SettingsError, UsageError
    from facesieve.pipeline import Pipeline
    from facesieve.records import Face, Photo, Record, Refusal, RefusalCode, Source, Verdict
    from facesieve.settings import Settings
    from facesieve.sieve import Policy, Reason

__all__ = [
    "DatasetError",
    "Face",
    "FacesieveError",
    "ModelError",
    "Photo",
    "Pipeline",
    "Policy",
    "PolicyError",
    "Reason",
    "Record",
    "Refusal",
    "RefusalCode",
    "Settings",
    "SettingsError",
    "Source",
    "UsageError",
    "Verdict",
    "__version__",
]

_ROOMS = {
    "errors": ("DatasetError", "FacesieveError", "ModelError", "PolicyError", "SettingsError", "UsageError"),
    "pipeline": ("Pipeline",),
    "records": ("Face", "Photo", "Record", "Refusal", "RefusalCode", "Source", "Verdict"),
    "settings": ("Settings",),
    "sieve": ("Policy", "Reason"),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"facesieve.{room}"), name)
    raise AttributeError(f"module 'facesieve' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
