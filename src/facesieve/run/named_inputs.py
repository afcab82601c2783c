"""Which inputs are in what the user named: a file, a folder, an archive, a list, a glob or a URL."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from glob import escape, has_magic
from pathlib import Path

from facesieve.buckets import is_bucket_url
from facesieve.dataset.disk.names import normalized_text
from facesieve.errors import Refused
from facesieve.records import displayed
from facesieve.sources.identity import identity_of
from facesieve.sources.remote.url import file_path, is_url

_ROW = re.compile(r":\d+")  # the row of a list, after the name of the list


def path_of(key: bytes) -> str:
    """The identity of an input as a path, without the NUL byte between an archive or a list and its member."""
    return os.fsdecode(key.replace(b"\0", b""))


def absolute_path(argument: str) -> str:
    """The argument as an absolute path; a URL stays a URL. The working folder's name is never a pattern."""
    argument = _without_file_scheme(argument)
    if is_url(argument):
        return argument[:5].lower() + argument[5:] if is_bucket_url(argument) else argument
    if Path(argument).is_absolute():  # the working folder may have been deleted
        return os.fsdecode(identity_of(argument))
    magic = has_magic(argument) and not os.path.lexists(argument)
    here = escape(str(Path.cwd())) if magic else str(Path.cwd())
    return os.fsdecode(identity_of(Path(here) / argument))


def manifest_name(argument: str) -> str:
    """The argument as it is written in manifests."""
    argument = _without_file_scheme(argument)
    if is_url(argument):
        return normalized_text(displayed(argument))
    return normalized_text(str(Path(argument)))


def is_below(name: str, argument: str) -> bool:
    """Whether an input is what was named, or is in that folder, archive, list, or folder of a bucket."""
    if is_url(name) or is_url(argument):
        return name == argument or name.startswith(argument if argument.endswith("/") else f"{argument}/")
    if argument == ".":
        return not name.startswith(("/", "../"))
    if name == argument or name.startswith((argument.rstrip("/") + "/", f"{argument}!\0", f"{argument}:\0")):
        return True
    # Version 0.1.0 wrote identities of members that look like paths; a file may really have such a path.
    if name.startswith(argument + "!") or (name.startswith(argument + ":") and _ROW.match(name, len(argument))):
        return not os.path.lexists(name)
    return False


def matches_glob(name: str, argument: str) -> bool:
    """Whether an input, or the folder, archive or list that it is in, matches a glob; `**` stands for any folders.

    A URL matches no glob.
    """
    if is_url(name) or is_url(argument):
        return False
    return _matches(re.split(r"[!:]\0", name)[0].split("/"), argument.split("/"))


def _without_file_scheme(argument: str) -> str:
    """The path in a URL `file://`; any other argument as it is."""
    try:
        return file_path(argument) or argument
    except Refused:
        return argument


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return True  # the rest of the name is inside a folder that matches
    if pattern[0] == "**":
        return any(_matches(parts[at:], pattern[1:]) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def is_in_named(name: str, named: Iterable[str]) -> bool:
    """Whether a source is in one of the named inputs, judging by its name in the manifests."""
    return any(is_below(name, argument) or matches_glob(name, argument) for argument in map(manifest_name, named))
