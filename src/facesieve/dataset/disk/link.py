"""Takes a file of one dataset over into another one: as a hard link, or as a copy where links are not possible."""

from __future__ import annotations

import os
from pathlib import Path

from facesieve.dataset.disk.atomic import wrap_read_errors, wrap_write_errors, write_file
from facesieve.dataset.disk.checksums import Checksum, checksum_of, checksum_of_file
from facesieve.dataset.disk.damage import damaged_file, open_own_file
from facesieve.dataset.disk.layout import file_size
from facesieve.errors import DatasetError


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
                " Run `facesieve check DATASET --repair` first.",
            ) from error
        except OSError:  # another file system, one without links, or a file of another user
            pass
    if known and new.exists() and checksum_of_file(new) in known:
        return
    with wrap_read_errors(old), open_own_file(old) as stream:
        data = stream.read()
    if known and checksum_of(data) not in known:
        raise damaged_file(old)
    write_file(data, new, scratch)
