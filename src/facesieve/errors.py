"""The exceptions of FaceSieve. Pictures never raise: a picture without pixels is a `Refusal` value.

FacesieveError          code, one public sentence, exit status
├── UsageError          the caller asked for something wrong: an unknown option, an empty folder, a missing path
│   ├── PictureTypeError  a value that is not a picture; also a TypeError
│   ├── SettingsError   a setting that is unknown or out of range
│   └── PolicyError     a policy that is malformed or names an unknown measure
├── ModelError          weights that are missing, differ from the catalog, or cannot be converted
│   └── OfflineError    weights are needed, but downloads are turned off
├── DatasetError        a dataset that cannot be read, written or continued
└── WorkerError         worker processes that cannot be started

Refused                 inside `sources` and `decode` only: ends the reading of one picture and becomes its `Refusal`
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # only for types: importing this module must stay fast, without numpy
    from facesieve.records import RefusalCode


_ABOUT_MEMORY = (
    "out of memory",
    "insufficient memory",
    "not enough memory",
    "memory allocation",
    "cannot allocate",
    "failed to allocate",
    "bad_alloc",
    "malloc",
    "failed to map segment",  # of a library that is loaded
    "can't start new thread",
)
_LIMITS = ("security limit", "exceeds")  # libheif reports its own limits on a file as a failed allocation


def is_about_memory(error: BaseException) -> bool:
    """Whether any error says, by its type or its text, that there is not enough memory."""
    said = str(error).lower()
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return any(words in said for words in _ABOUT_MEMORY) and not any(words in said for words in _LIMITS)


class FacesieveError(Exception):
    """Base of all errors that FaceSieve raises on purpose.

    `code` is stable and for programs, `message` is one sentence for people, and `exit_status` is the exit status of the
    command line.
    """

    exit_status = 2

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[FacesieveError], tuple[str, str]]:
        """Pickle the error, so that worker processes can send it to the build."""
        return type(self), (self.code, self.message)


class UsageError(FacesieveError):
    """The caller asked for something wrong."""


class PictureTypeError(UsageError, TypeError):
    """A value that is not a picture; also a TypeError."""


class SettingsError(UsageError):
    """A setting that is unknown or out of range."""


class PolicyError(UsageError):
    """A policy that is malformed or names an unknown measure."""


class ModelError(FacesieveError):
    """Weights that are missing, differ from the catalog, or cannot be converted."""


class OfflineError(ModelError):
    """Weights are needed, but downloads are turned off."""


class DatasetError(FacesieveError):
    """A dataset that cannot be read, written or continued."""


class WorkerError(FacesieveError):
    """Worker processes that cannot be started."""


class Refused(Exception):  # noqa: N818 - it is an outcome, not an error
    """Ends the reading of one picture. `decode` turns it into a `Refusal`; it never reaches a caller.

    message: one sentence without paths; "" means the sentence of the code.
    """

    def __init__(self, code: RefusalCode, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
