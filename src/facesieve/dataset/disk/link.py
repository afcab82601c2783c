"""Takes a file of one dataset over into another one: as a hard link, or as a copy where links are not possible."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from facesieve.dataset.disk.atomic import open_for_writing, wrap_read_errors, wrap_write_errors
from facesieve.dataset.disk.checksums import Checksum, checksum_of_file
from facesieve.dataset.disk.layout import file_size
from facesieve.dataset.disk.own_file import check_command, damaged_file, open_own_file
from facesieve.errors import DatasetError

_COPIED = 2**20  # bytes of a file in memory while it is copied; a tar file may be as large as the disk


def link_file(old: Path, new: Path, scratch: Path, known: frozenset[Checksum] = frozenset()) -> None:
    """Make a hard link, or a copy if the file system has no links or the old file is a symbolic link.

    Files of datasets are never changed in place, so both datasets can share one. known: the checksums that a copy may
    have; an empty set skips the check. Raises DatasetError if the old file is missing or damaged, or if writing fails.
    """
    with wrap_write_errors(new):
        new.parent.mkdir(parents=True, exist_ok=True)
        try:
            if file_size(old) is None:  # a pipe could be linked too
                raise FileNotFoundError(old)
            if not old.is_symlink():
                os.link(old, new)
                return
        except FileExistsError:
            if new.samefile(old):
                return
        except FileNotFoundError as error:
            raise DatasetError(
                "missing_crop",
                f"{old} is missing or not a regular file, but the manifest names it."
                f" Run `{check_command(old)} --repair` first.",
            ) from error
        except OSError:  # another file system, one without links, or a file of another user
            pass
    if known and new.exists() and checksum_of_file(new) in known:
        return
    _copy(old, new, scratch, known)


def _copy(old: Path, new: Path, scratch: Path, known: frozenset[Checksum]) -> None:
    digest, size = hashlib.sha256(), 0
    with wrap_read_errors(old), open_own_file(old) as stream, open_for_writing(new, scratch) as copy:
        while True:
            with wrap_read_errors(old):  # otherwise the message would name the new file
                data = stream.read(_COPIED)
            if not data:
                break
            digest.update(data)
            size += len(data)
            copy.write(data)
        if known and Checksum(digest.hexdigest(), size) not in known:
            raise damaged_file(old)
