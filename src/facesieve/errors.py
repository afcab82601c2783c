"""What can go wrong, as a tree. Pictures never raise: a picture without pixels is a `Refusal` value.

FacesieveError          code, one public sentence, exit status
├── UsageError          the request itself is off: an unknown option, an empty folder, a missing path
│   ├── PictureTypeError  what was handed in is no picture; it is a TypeError as well
│   ├── SettingsError   a setting that is unknown or out of range
│   └── PolicyError     a policy that names no such measure, or is not a policy
├── ModelError          weights that are absent, not what the catalog says, or not convertible
│   └── OfflineError    weights are needed, and fetching is forbidden
├── DatasetError        a dataset that cannot be read, written or continued
└── WorkerError         worker processes that cannot be started

Refused                 inside `sources` and `decode` only: ends the reading of one picture, becomes its `Refusal`
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:  # errors are light: the command line has them before numpy
    from facesieve.records import RefusalCode


class Code(StrEnum):
    """A closed list of stable codes. Each member is written as its code, then details, then a sentence for people."""

    details: tuple[Any, ...]
    sentence: str

    def __new__(cls, code: str, *details: Any) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        *rest, member.sentence = details
        member.details = tuple(rest)
        return member


class FacesieveError(Exception):
    """Base of all errors that FaceSieve raises on purpose.

    `code` is stable and machine-readable, `message` is one sentence for a person, `exit_status` is what
    the command line exits with.
    """

    exit_status = 2

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[FacesieveError], tuple[str, str]]:
        """Errors travel from worker processes to the build."""
        return type(self), (self.code, self.message)


class UsageError(FacesieveError):
    """The request itself is off."""


class PictureTypeError(UsageError, TypeError):
    """What was handed in is no picture."""


class SettingsError(UsageError):
    """A setting that is unknown or out of range."""


class PolicyError(UsageError):
    """A policy that names no such measure, or is not a policy."""


class ModelError(FacesieveError):
    """Weights that are absent, not what the catalog says, or not convertible."""


class OfflineError(ModelError):
    """Weights are needed, and fetching is forbidden."""


class DatasetError(FacesieveError):
    """A dataset that cannot be read, written or continued."""


class WorkerError(FacesieveError):
    """Worker processes that cannot be started."""


class Refused(Exception):  # noqa: N818 - it is an outcome, not an error
    """Ends the reading of one picture. `decode` turns it into a `Refusal`; it never reaches a caller.

    message: one sentence without paths, or "" for the code's own.
    """

    def __init__(self, code: RefusalCode, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
