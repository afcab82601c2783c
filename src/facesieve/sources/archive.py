"""The pictures in zip and tar archives, read in place. Nothing is extracted, so no member name becomes a path."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from facesieve.errors import FacesieveError, Refused
from facesieve.records import RefusalCode, Source, displayed
from facesieve.sources.identity import former, identity_of, identity_of_member
from facesieve.sources.member import Member
from facesieve.sources.names import ZIP_SUFFIXES, cost_of, is_archive_name, unsafe
from facesieve.sources.openers import RefusedOpener, open_file
from facesieve.sources.search import Search
from facesieve.sources.taken import taken
from facesieve.sources.tar_members import tar_members
from facesieve.sources.zip_members import zip_members

_MOST_LINKS = 40  # of a chain, as on Linux


def is_archive(path: Path) -> bool:
    """Whether a file that the user named is opened as an archive; its suffix decides."""
    return is_archive_name(path.name)


def from_archive(path: Path, search: Search) -> Iterator[Source]:
    """The pictures of an archive, in the order of its directory.

    Where the archive cannot be read, or not to its end, the last source is one that will be refused.
    Raises UsageError `no_temporary_room` where there is no room to unpack a compressed tar.
    """
    name, identity, seen = path.as_posix(), identity_of(path), dict[bytes, int]()
    members, fault = _members(path, search)
    for member in taken(_linked(members), search):
        seen[member.raw] = times = seen.get(member.raw, 0) + 1
        yield _source(name, identity, member, times, search)
    if again := sum(times - 1 for times in seen.values()):
        members_are = "1 member has" if again == 1 else f"{again} members have"
        search.tell(f"{displayed(name)}: {members_are} the name of an earlier one; a number was added to it")
    if fault is not None:
        yield Source(displayed(name), "", fault, identity=identity, former=former(name))


def _members(path: Path, search: Search) -> tuple[list[Member], RefusedOpener | None]:
    """All entries up to the first fault, and the fault."""
    members: list[Member] = []
    read: Callable[[Path, BinaryIO, Search], Iterator[Member]]
    read = zip_members if path.name.lower().endswith(ZIP_SUFFIXES) else tar_members
    try:
        with open_file(path) as stream:
            for member in read(path, stream, search):
                members.append(member)  # noqa: PERF402 - the members before a fault are kept
    except Refused as refused:
        return members, RefusedOpener(refused.code, refused.message)
    except FacesieveError:  # such as no room to unpack: the archive is not at fault
        raise
    except PermissionError:
        return members, RefusedOpener(RefusalCode.UNREADABLE)
    except MemoryError:
        return members, RefusedOpener(RefusalCode.OUT_OF_MEMORY)
    except Exception:  # zipfile and tarfile raise errors of every type for damaged archives
        return members, RefusedOpener(RefusalCode.BAD_ARCHIVE)
    return members, None


def _source(archive: str, identity: bytes, member: Member, times: int, search: Search) -> Source:
    """The source of one member. times: how often its name has occurred in the archive, this time included."""
    name = displayed(f"{archive}!{member.name}") + (f" ({times})" if times > 1 else "")
    own = identity_of_member(identity, member.raw, times)
    before = former(f"{archive}!{member.former}", name) if times == 1 else ""
    if unsafe(member.parts):
        return Source(name, "", RefusedOpener(RefusalCode.UNSAFE_NAME), identity=own, former=before)
    label = displayed(search.label(member.parts[:-1], ""))
    cost = cost_of(member.name)
    return Source(name, label, member.open, member.fingerprint, identity=own, former=before, cost=cost)


def _linked(members: list[Member]) -> Iterator[Member]:
    """The members, with each link replaced by the member that it points to.

    Links to folders are left out: the members of these folders are there anyway.
    """
    if all(member.link is None for member in members):
        yield from members
        return
    positions: dict[str, list[int]] = {}
    for at, member in enumerate(members):
        positions.setdefault("/".join(member.parts), []).append(at)
    folders = {"/".join(member.parts[:at]) for member in members for at in range(len(member.parts))}
    for at, member in enumerate(members):
        if member.link is None:
            yield member
            continue
        end = _end_of(at, members, positions)
        if end.link is None and not end.is_folder:
            yield replace(member, open=end.open, fingerprint=end.fingerprint)
        elif end.link is not None and end.link not in folders:
            yield replace(member, open=_dead_link(end.link))


def _end_of(at: int, members: list[Member], positions: dict[str, list[int]]) -> Member:
    """The last member of a chain of links: a file, or a link whose target is absent or whose chain is too long.

    positions: the indices of the members of each name. When an archive is unpacked, a later member replaces an earlier
    one of the same name. So a hard link leads to the last such member before it, and a symbolic link to the last of
    all.
    """
    for _ in range(_MOST_LINKS):
        member = members[at]
        if member.link is None:
            return member
        target = posixpath.normpath(member.link)
        found = positions.get(target)
        if found is None:
            return replace(member, link=target)
        before = bisect_left(found, at) if member.hard else 0
        at = found[before - 1]
    return members[at]


def _dead_link(target: str) -> RefusedOpener:
    """The refusal of a link whose target is not in the archive."""
    if target.startswith(("/", "../")) or target == "..":
        return RefusedOpener(RefusalCode.OUTSIDE_TREE)
    return RefusedOpener(RefusalCode.UNREADABLE, "The link points to no file in the archive.")
