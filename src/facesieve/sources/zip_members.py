"""The entries of a zip, from its directory alone: overlapping or too large ones are refused before inflating."""

from __future__ import annotations

import os
import posixpath
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from facesieve.errors import Refused
from facesieve.records import RefusalCode, displayed
from facesieve.sources.member import Member
from facesieve.sources.openers import LOCAL_HEADER, RefusedOpener, ZipMember
from facesieve.sources.search import Search
from facesieve.sources.zip_directory import Directory, Entry, extra_field, holds_another, read_directory

_ENCRYPTED = 0x1
_DOS_FOLDER = 0x10
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_TOO_MUCH = RefusedOpener(RefusalCode.TOO_MANY_BYTES, "The archive would unpack to more bytes than max_unpacked_bytes.")
_LONGEST_LINK = 4096  # bytes, as on Linux
_UNICODE_PATH = 0x7075  # the extra field that Info-ZIP writes; APPNOTE.TXT 4.6.9


def zip_members(path: Path, stream: BinaryIO, search: Search) -> Iterator[Member]:
    """All entries of a zip, in the order of its directory.

    Raises Refused `bad_archive` at the end if entries are missing, or if the file holds another zip.
    """
    directory = read_directory(stream)
    most = max(search.settings.max_unpacked_bytes, 2 * os.fstat(stream.fileno()).st_size)
    overlapping, total = _overlapping(directory), 0
    for index, entry in enumerate(directory.entries):
        name, guessed = _name(path, entry, search)
        former = entry.raw.decode("utf-8" if entry.utf8 else "cp437")
        if _is_folder(entry, name):
            yield Member(entry.raw, name, former, is_folder=True)
            continue
        closed = _refusal(entry, index in overlapping, search)
        if closed is None:
            total += entry.size
            closed = _TOO_MUCH if total > most else None
        data = ZipMember(str(path), entry.offset, entry.method, entry.compressed, entry.size, entry.crc)
        link = None
        if closed is None and stat.S_ISLNK(entry.attributes >> 16) and entry.size <= _LONGEST_LINK:
            try:
                link = _link(path, data, name, entry, search)
            except Exception:  # only this link is damaged, not the archive
                closed = RefusedOpener(RefusalCode.UNREADABLE, "The link is damaged.")
        stamp = f"{entry.size}-{entry.crc:08x}"
        yield Member(entry.raw, name, former, closed or data, stamp, link, guessed=guessed)
    if not directory.whole:
        raise Refused(RefusalCode.BAD_ARCHIVE)
    if holds_another(stream, directory):
        raise Refused(
            RefusalCode.BAD_ARCHIVE,
            "The file holds several zips, and only one of them was read; split it, or unpack each of them.",
        )


def _refusal(entry: Entry, overlaps: bool, search: Search) -> RefusedOpener | None:
    """Why an entry is refused on its own."""
    if entry.flags & _ENCRYPTED:
        return RefusedOpener(RefusalCode.ENCRYPTED)
    if not entry.sound:
        return RefusedOpener(RefusalCode.BAD_ARCHIVE, "The archive does not say where this member begins.")
    if overlaps:
        return RefusedOpener(RefusalCode.BAD_ARCHIVE, "This member overlaps with another one.")
    if entry.size > search.settings.max_file_bytes:
        return RefusedOpener(RefusalCode.TOO_MANY_BYTES)
    if entry.method not in _METHODS:
        return RefusedOpener(RefusalCode.BAD_ARCHIVE, f"FaceSieve does not support compression method {entry.method}.")
    return None


def _overlapping(directory: Directory) -> set[int]:
    """Indices of the entries that share bytes with another one, or with the directory."""
    entries = directory.entries
    found, reach, holder = set[int](), 0, -1
    for index in sorted(range(len(entries)), key=lambda index: entries[index].offset):
        first = entries[index].offset
        last = first + LOCAL_HEADER + entries[index].compressed
        if first < reach:
            found |= {index, holder}
        if last > directory.start:
            found.add(index)
        if last > reach:
            reach, holder = last, index
    return found


def _name(path: Path, entry: Entry, search: Search) -> tuple[str, bool]:
    """A stored name as text, and whether its encoding was guessed."""
    if entry.utf8:
        return entry.raw.decode("utf-8"), False
    if stated := _unicode_path(entry):
        return stated, False
    return _decoded(path, entry.raw, search)


def _decoded(path: Path, raw: bytes, search: Search) -> tuple[str, bool]:
    chosen = search.options.archive_encoding
    try:
        return raw.decode(chosen or "utf-8"), False
    except UnicodeError:
        name = displayed(path.as_posix())
        if chosen:
            search.tell(f"{name}: some names of members are not {chosen}; --archive-encoding chooses another encoding")
            return raw.decode("utf-8", "surrogateescape"), True
        search.tell(
            f"{name}: names of members are not UTF-8 and were read as cp437; if they, or labels, look wrong,"
            " choose --archive-encoding, such as gbk or shift_jis"
        )
        return raw.decode("cp437"), True


def _unicode_path(entry: Entry) -> str:
    """The UTF-8 name in the extra field, where it was made from the stored name; else ""."""
    field = extra_field(entry.extra, _UNICODE_PATH)
    if field[1:5] == struct.pack("<I", zlib.crc32(entry.raw)):
        return field[5:].decode("utf-8", "replace")
    return ""


def _is_folder(entry: Entry, name: str) -> bool:
    """Whether an entry is a folder. An entry with content is a file, whatever its name."""
    marked = stat.S_ISDIR(entry.attributes >> 16) or bool(entry.attributes & _DOS_FOLDER)
    return not entry.size and (marked or name.endswith(("/", "\\")))


def _link(path: Path, data: ZipMember, name: str, entry: Entry, search: Search) -> str:
    """The name that a link points to, from the archive's root."""
    with data() as stream:
        raw = stream.read(_LONGEST_LINK)
    target = raw.decode("utf-8", "surrogateescape") if entry.utf8 else _decoded(path, raw, search)[0]
    return posixpath.join(posixpath.dirname(name.replace("\\", "/")), target)
