"""The entries of a tar, each with its offset in the file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, BinaryIO

from facesieve.errors import Refused
from facesieve.records import RefusalCode, displayed
from facesieve.sources.member import Member
from facesieve.sources.openers import RefusedOpener, Slice
from facesieve.sources.search import Search
from facesieve.sources.temporary import TemporaryFile, TemporaryWriter

_CHUNK = 1 << 20
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZ", b"\xfd7"
_LONGEST_HEADER = 1 << 20  # bytes of a name or of extended attributes, which tarfile reads into memory
_EXTENDED = {
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
}


def tar_members(path: Path, stream: BinaryIO, search: Search) -> Iterator[Member]:
    """All entries of a tar, in its order.

    A compressed tar has no random access, so it is unpacked once to a temporary file. Reading it again for every member
    would take quadratic time, and keeping it in memory would take unbounded memory.
    """
    status = os.fstat(stream.fileno())
    stamp_format = f"{status.st_mtime_ns}-{{}}@{status.st_ctime_ns}"
    magic = stream.read(2)
    stream.seek(0)
    intact, plain = True, TemporaryFile(str(path))
    if magic in (_GZIP, _BZIP2, _XZ):
        intact, plain = _unpack(path, magic, stream, search.settings.max_unpacked_bytes)
    with Path(plain.path).open("rb") as tar:
        start: int | None = 0
        while start is not None:
            tar.seek(start)
            with tarfile.open(fileobj=tar, mode="r:", tarinfo=_Bounded) as archive:
                for info in archive:
                    yield _member(path, info, plain, stamp_format, search)
            start = _content(tar, archive.offset)
            if start == archive.offset:  # tarfile stops at a damaged header in the same way as at the end
                intact = False
                break
    if not intact:
        raise Refused(RefusalCode.BAD_ARCHIVE)


def _content(tar: BinaryIO, start: int) -> int | None:
    """The offset of the first block from `start` on that is not all zeros; None where only zeros follow.

    Blocks of zeros end an archive. After them may come another archive, as `cat a.tar b.tar` makes it, or members whose
    header was lost.
    """
    tar.seek(start)
    while part := tar.read(_CHUNK):
        if filled := part.lstrip(b"\0"):
            return start + (len(part) - len(filled)) // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE
        start += len(part)
    return None


def _member(path: Path, info: tarfile.TarInfo, plain: TemporaryFile, stamp_format: str, search: Search) -> Member:
    """stamp_format: the times of the archive, with a placeholder for the offset of the member."""
    raw, name = _text(path, info, "path", info.name, search)
    if info.isdir():
        return Member(raw, name, info.name, is_folder=True)
    link = _link(info, name, _text(path, info, "linkpath", info.linkname, search)[1])
    stamp = f"{info.size}-{stamp_format.format(info.offset)}"
    guessed = any("\udc80" <= char <= "\udcff" for char in name)
    return Member(raw, name, info.name, _data(plain, info), stamp, link, info.islnk(), guessed=guessed)


class _Bounded(tarfile.TarInfo):
    """A header that refuses names and attributes too large for memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENDED and self.size > _LONGEST_HEADER:
            raise tarfile.ReadError("extended header too large")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]  # tarfile's own hook, without a type


def _text(path: Path, info: tarfile.TarInfo, header: str, read: str, search: Search) -> tuple[bytes, str]:
    """A name as it is stored, and as text.

    header: the extended header that would hold it in UTF-8. read: the text that tarfile made of it.
    """
    raw = read.encode("utf-8", "surrogateescape")
    text, chosen = read, search.options.archive_encoding
    if chosen and header not in info.pax_headers:
        try:
            text = raw.decode(chosen)
        except UnicodeError:
            search.tell(f"{displayed(path.as_posix())}: some names of members are not {chosen}")
    elif not chosen and displayed(text) != text and any("\udc80" <= char <= "\udcff" for char in text):
        search.tell(
            f"{displayed(path.as_posix())}: names of members are not UTF-8; choose --archive-encoding,"
            " such as gbk or shift_jis"
        )
    return raw, text


def _data(plain: TemporaryFile, info: tarfile.TarInfo) -> Slice | RefusedOpener:
    if info.issparse():
        return RefusedOpener(RefusalCode.UNSUPPORTED_FORMAT, "Sparse files in a tar are not supported.")
    if not info.isreg():
        return RefusedOpener(RefusalCode.NOT_A_FILE)
    return Slice(plain.path, info.offset_data, info.size, plain)


def _link(info: tarfile.TarInfo, name: str, target: str) -> str | None:
    """The name that a link points to, from the archive's root; None for what is not a link."""
    if info.issym():
        return posixpath.join(posixpath.dirname(name), target)
    return target if info.islnk() else None


def _unpack(path: Path, magic: bytes, packed: BinaryIO, limit: int) -> tuple[bool, TemporaryFile]:
    """Whether everything could be unpacked, and the unpacked file, which ends at a fault or after `limit` bytes."""
    opens: dict[bytes, Callable[..., Any]] = {_GZIP: gzip.open, _BZIP2: bz2.open, _XZ: lzma.open}
    target, intact = TemporaryWriter(path), True
    with opens[magic](packed) as stream:
        while intact and (part := _next(stream)):
            room = limit - target.size
            target.write(part[:room])
            intact = len(part) <= room
        intact = intact and part is not None
    target.close()
    return intact, target.file


def _next(stream: BufferedIOBase) -> bytes | None:
    """The next bytes, b"" at the end, None where the archive is damaged."""
    try:
        return stream.read1(_CHUNK)  # `read` would lose the bytes before a fault
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return None
