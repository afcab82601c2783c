"""What a check can find wrong with a dataset, and its result as a whole."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from facesieve.dataset.disk.layout import HIDDEN
from facesieve.errors import DatasetError
from facesieve.run.lost import Lost

_PARTS = f"{HIDDEN}/parts/"


class FaultCode(StrEnum):
    """What can be wrong with a file of a dataset. There are no other codes."""

    MISSING = "missing"  # a row names it, or every dataset has it
    DAMAGED = "damaged"  # its bytes are not those that were written, or it cannot be read
    UNREADABLE = "unreadable"  # this user has no permission to read it
    NO_ROW = "no_row"  # no row names it
    OUTDATED = "outdated"  # it disagrees with the ledger


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. name: of the file, relative to the dataset."""

    code: FaultCode
    name: str


def fault_of(error: DatasetError, name: str) -> Fault:
    """The fault of a file that could not be read. error: what reading it raised.

    Raises the error again if it is no fault of the file, such as a limit on open files.
    """
    if error.code == "not_a_dataset":
        return Fault(FaultCode.MISSING, name)
    if isinstance(error.__cause__, PermissionError):
        return Fault(FaultCode.UNREADABLE, name)
    if error.code in ("damaged_dataset", "damaged_decisions") or getattr(error.__cause__, "errno", None) == errno.EIO:
        return Fault(FaultCode.DAMAGED, name)
    raise error


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found.

    faults: everything that is wrong. files: how many files were checked. without_sum: how many of them have no
    checksum. undone: how many pictures the next build will do again, those of `lost` included.
    foreign: names of files in the folders of the dataset that no build writes; they are left alone.
    lost: pictures whose rows were in parts of the ledger that a repair removed.
    continuable: whether a build can add pictures. It cannot without a ledger: after `facesieve sieve`, or when
    `.facesieve` was deleted.
    """

    faults: tuple[Fault, ...]
    files: int
    without_sum: int
    undone: int
    foreign: tuple[str, ...]
    lost: Lost
    continuable: bool

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Names of files that this user has no permission to read."""
        return tuple(fault.name for fault in self.faults if fault.code is FaultCode.UNREADABLE)

    @property
    def gone_parts(self) -> tuple[str, ...]:
        """Names of damaged or missing parts of the ledger. A repair cannot restore their rows."""
        return tuple(fault.name for fault in self.faults if fault.name.startswith(_PARTS))

    def as_json(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "faults": [{"code": str(fault.code), "file": fault.name} for fault in self.faults],
            "files": self.files,
            "without_checksum": self.without_sum,
            "undone": self.undone,
            "foreign": list(self.foreign),
            "continuable": self.continuable,
            "lost": {"parts": len(self.lost.parts), "pictures": len(self.lost.pictures)},
        }
