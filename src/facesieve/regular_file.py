"""Opens regular files only, so that a pipe or device in their place never makes the program wait."""

from __future__ import annotations

import errno
import os
import stat
from functools import cache
from io import BufferedReader
from pathlib import Path

NOT_A_FILE = "This is a pipe, socket or device, not a regular file."

# File systems whose files the kernel generates while they are read. Some reads block forever, others never end.
_KERNEL_FILE_SYSTEMS = {
    *("proc", "sysfs", "debugfs", "tracefs", "securityfs", "configfs", "cgroup", "cgroup2", "bpf", "pstore"),
    *("efivarfs", "binfmt_misc", "fusectl", "selinuxfs", "smackfs", "resctrl", "rpc_pipefs", "nfsd", "devpts"),
    "mqueue",
}


class NotAFileError(OSError):
    """A path leads to something that must not be opened as a file. `strerror` says what it is."""


def what_is_wrong(status: os.stat_result) -> str:
    """The reason why this must not be opened as a file, as a sentence; "" for a regular file."""
    if stat.S_ISDIR(status.st_mode):
        return "This is a folder, not a file."
    if not stat.S_ISREG(status.st_mode):
        return NOT_A_FILE
    if status.st_dev in _kernel_devices():
        return "The kernel makes this file; it is not on a disk."
    return ""


def open_regular(path: str | Path) -> BufferedReader:
    """A stream of a regular file. It does not wait if the path leads to a pipe.

    Raises NotAFileError, and OSError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, which cannot be opened at all
            raise NotAFileError(errno.EINVAL, NOT_A_FILE.removesuffix(".")) from error
        raise
    try:
        if wrong := what_is_wrong(os.fstat(descriptor)):
            raise NotAFileError(errno.EINVAL, wrong.removesuffix("."))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


@cache  # mounts seldom change, and every file asks
def _kernel_devices() -> frozenset[int]:
    """Device numbers of the file systems whose files the kernel generates."""
    found = set()
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return frozenset()
    for mount in mounts:
        fields, _, kind = mount.partition(" - ")
        if kind.split(" ", 1)[0] in _KERNEL_FILE_SYSTEMS:
            major, minor = fields.split(" ")[2].split(":")
            found.add(os.makedev(int(major), int(minor)))
    return frozenset(found)
