"""Entries of a zip, by its directory alone: what overlaps or declares too much is refused before it is inflated."""

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

from facesieve.records import RefusalCode, displayed
from facesieve.sources.member import Member
from facesieve.sources.opening import LOCAL_HEADER, Closed, ZipMember
from facesieve.sources.state import Search

_ENCRYPTED, _UTF8 = 0x1, 0x800
_DOS_FOLDER = 0x10
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_LONGEST_LINK = 4096  # bytes, as on Linux
_UNICODE_PATH = 0x7075  # the extra field that Info-ZIP writes; APPNOTE.TXT 4.6.9


def zip_members(path: Path, stream: BinaryIO, search: Search) -> Iterator[Member]:
    """All entries of a zip, in the order of its directory."""
    with zipfile.ZipFile(stream) as archive:
        infos, end = archive.infolist(), archive.start_dir
    most = max(search.settings.max_unpacked_bytes, 2 * os.fstat(stream.fileno()).st_size)
    overlapping, total = _overlapping(infos, end), 0
    for index, info in enumerate(infos):
        raw, name = _name(path, info, search)
        if _is_folder(info, name):
            yield Member(raw, name, info.orig_filename, is_folder=True)
            continue
        total += info.file_size
        closed = _refusal(info, index in overlapping, total > most, search)
        data = ZipMember(
            str(path), info.header_offset, info.compress_type, info.compress_size, info.file_size, info.CRC
        )
        link = _link(info, data, name) if closed is None else None
        stamp = f"{info.file_size}-{info.CRC:08x}"
        yield Member(raw, name, info.orig_filename, closed or data, stamp, link)


def _refusal(info: zipfile.ZipInfo, overlaps: bool, beyond: bool, search: Search) -> Closed | None:
    if info.flag_bits & _ENCRYPTED:
        return Closed(RefusalCode.ENCRYPTED)
    if overlaps:
        return Closed(RefusalCode.BAD_ARCHIVE, "The archive's entries overlap.")
    if info.file_size > search.settings.max_file_bytes:
        return Closed(RefusalCode.TOO_MANY_BYTES)
    if beyond:
        return Closed(RefusalCode.TOO_MANY_BYTES, "The archive declares more bytes than max_unpacked_bytes.")
    if info.compress_type not in _METHODS:
        return Closed(RefusalCode.BAD_ARCHIVE, f"Compression method {info.compress_type} is not supported.")
    return None


def _overlapping(infos: list[zipfile.ZipInfo], end: int) -> set[int]:
    """Entries that share bytes with another one, or with the directory that begins at `end`."""
    found, reach, holder = set[int](), 0, -1
    for index in sorted(range(len(infos)), key=lambda index: infos[index].header_offset):
        first = infos[index].header_offset
        last = first + LOCAL_HEADER + infos[index].compress_size
        if first < reach:
            found |= {index, holder}
        if last > end:
            found.add(index)
        if last > reach:
            reach, holder = last, index
    return found


def _name(path: Path, info: zipfile.ZipInfo, search: Search) -> tuple[bytes, str]:
    """The stored name and its text."""
    if info.flag_bits & _UTF8:
        raw = info.orig_filename.encode("utf-8", "surrogatepass")
        text = info.orig_filename
    else:
        raw = info.orig_filename.encode("cp437")
        text = _unicode_path(info, raw) or _decoded(path, raw, search)
    return raw, text


def _decoded(path: Path, raw: bytes, search: Search) -> str:
    chosen = search.options.archive_encoding
    try:
        return raw.decode(chosen or "utf-8")
    except UnicodeError:
        name = displayed(path.as_posix())
        if chosen:
            search.tell(f"{name}: some names of members are not {chosen}; --archive-encoding chooses another encoding")
            return raw.decode("utf-8", "surrogateescape")
        search.tell(
            f"{name}: names of members are not UTF-8 and were read as cp437; if they, or labels, look wrong,"
            " choose --archive-encoding, such as gbk or shift_jis"
        )
        return raw.decode("cp437")


def _unicode_path(info: zipfile.ZipInfo, raw: bytes) -> str:
    """The UTF-8 name beside the stored one, where it was made from it; else ""."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and field[1:5] == struct.pack("<I", zlib.crc32(raw)):
            return field[5:].decode("utf-8", "replace")
    return ""


def _is_folder(info: zipfile.ZipInfo, name: str) -> bool:
    marked = stat.S_ISDIR(info.external_attr >> 16) or bool(info.external_attr & _DOS_FOLDER)
    return name.endswith(("/", "\\")) or (marked and not info.file_size)


def _link(info: zipfile.ZipInfo, data: ZipMember, name: str) -> str | None:
    """Where a link leads, from the archive's root; None for what is no link."""
    if not stat.S_ISLNK(info.external_attr >> 16) or info.file_size > _LONGEST_LINK:
        return None
    with data() as stream:
        target = stream.read(_LONGEST_LINK).decode("utf-8", "surrogateescape")
    return posixpath.join(posixpath.dirname(name.replace("\\", "/")), target)
