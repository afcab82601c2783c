"""Which inputs lie in a place that the user named: a file, a folder, an archive, a list or a glob."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from glob import escape, has_magic
from pathlib import Path

from facesieve.dataset.disk.names import normalized_text
from facesieve.sources.naming import identity_of

_ROW = re.compile(r":\d+")  # of a list, behind the list's own name


def where(key: bytes) -> str:
    """The identity of an input as a path; the NUL bytes between an archive or a list and what it holds are left out."""
    return os.fsdecode(key.replace(b"\0", b""))


def by_path(argument: str) -> str:
    """A named place as an absolute path. The working folder is no pattern, whatever its name is."""
    if Path(argument).is_absolute():  # the working folder may have been deleted
        return os.fsdecode(identity_of(argument))
    magic = has_magic(argument) and not os.path.lexists(argument)
    here = escape(str(Path.cwd())) if magic else str(Path.cwd())
    return os.fsdecode(identity_of(Path(here) / argument))


def by_words(argument: str) -> str:
    """A named place as manifests would call it."""
    return normalized_text(str(Path(argument)))


def below(name: str, place: str) -> bool:
    """Whether an input is the place itself, or lies in that folder, archive or list."""
    if place == ".":
        return not name.startswith(("/", "../"))
    if name == place or name.startswith((place.rstrip("/") + "/", f"{place}!\0", f"{place}:\0")):
        return True
    # Identities of 0.1.0 look like paths, and a file may have that very path.
    if name.startswith(place + "!") or (name.startswith(place + ":") and _ROW.match(name, len(place))):
        return not os.path.lexists(name)
    return False


def matches(name: str, place: str) -> bool:
    """Whether an input, or the folder, archive or list that it lies in, fits a glob; `**` stands for any folders."""
    return _fits(re.split(r"[!:]\0", name)[0].split("/"), place.split("/"))


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return True  # what is left of the name lies in a folder that fits
    if pattern[0] == "**":
        return any(_fits(parts[at:], pattern[1:]) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def lies_under(name: str, named: Iterable[str]) -> bool:
    """Whether a source lies in one of the named places, as far as its name in the manifests tells."""
    return any(below(name, place) or matches(name, place) for place in map(by_words, named))
