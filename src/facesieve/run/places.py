"""Which inputs lie in a place that the user named: a file, a folder, an archive, a list or a glob."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from glob import escape, has_magic
from pathlib import Path

from facesieve.dataset.names import plain
from facesieve.sources.naming import identity_of

_ROW = re.compile(r":\d+")  # of a list, behind the list's own name


def where(key: bytes) -> str:
    """The identity of an input as a path; the NUL bytes between an archive or a list and what it holds are left out."""
    return os.fsdecode(key.replace(b"\0", b""))


def by_path(argument: str) -> str:
    """A named place as an absolute path. The working folder is no pattern, whatever its name is."""
    if Path(argument).is_absolute():  # the working folder may have been deleted
        return os.fsdecode(identity_of(argument))
    here = escape(str(Path.cwd())) if has_magic(argument) else str(Path.cwd())
    return os.fsdecode(identity_of(Path(here) / argument))


def by_words(argument: str) -> str:
    """A named place as manifests would call it."""
    return plain(str(Path(argument)))


def below(name: str, place: str) -> bool:
    """Whether an input is the place itself, or lies in that folder, archive or list."""
    if place == ".":
        return not name.startswith(("/", "../"))
    if name == place or name.startswith((place.rstrip("/") + "/", place + "!")):
        return True
    return name.startswith(place + ":") and bool(_ROW.match(name, len(place)))


def matches(name: str, place: str) -> bool:
    """Whether an input fits a glob; `**/` stands for any folders or none."""
    return any(fnmatchcase(name, place.replace("**/", folders)) for folders in ("", "*/"))


def lies_under(name: str, named: Iterable[str]) -> bool:
    """Whether a source lies in one of the named places, as far as its name in the manifests tells."""
    return any(below(name, place) or matches(name, place) for place in map(by_words, named))
