"""Members of zip and tar archives, streamed from where they lie. Nothing is extracted: names are only names."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import posixpath
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any

from facesieve.errors import FacesieveError, Refused, UsageError
from facesieve.records import RefusalCode, Source
from facesieve.settings import Settings
from facesieve.sources.naming import ignored_member, label_of, printable, unsafe
from facesieve.sources.opening import Closed, Slice, ZipMember

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

_ENCRYPTED = 0x1
_CHUNK = 1 << 20
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZ", b"\xfd7"


def is_archive(path: Path) -> bool:
    """Whether a file named by the user is opened as an archive, by its suffix."""
    return path.name.lower().endswith(ZIP_SUFFIXES + TAR_SUFFIXES)


def from_archive(path: Path, settings: Settings, labelled: bool) -> Iterator[Source]:
    """The pictures of an archive, in the order of its directory.

    An archive that cannot be read, from some point on or at all, ends with one source that will be refused.
    Raises UsageError `no_temporary_room` where a compressed tar cannot be unpacked for lack of room.
    """
    name = printable(path.as_posix())
    members = _zip_members if path.name.lower().endswith(ZIP_SUFFIXES) else _tar_members
    try:
        for member, source_open, fingerprint in members(path, settings):
            safe = not unsafe(member)
            if not (safe and ignored_member(member)):
                label = label_of(member) if labelled and safe else ""
                yield Source(f"{name}!{printable(member)}", printable(label), source_open, fingerprint)
    except Refused as refused:
        yield Source(name, "", Closed(refused.code, refused.message))
    except FacesieveError:
        raise
    except Exception:  # strangers' archives break in every way, and zipfile and tarfile with them
        yield Source(name, "", Closed(RefusalCode.BAD_ARCHIVE))


_Member = tuple[str, ZipMember | Slice | Closed, str]


def _zip_members(path: Path, settings: Settings) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    for info in infos:
        if not info.is_dir():
            yield info.orig_filename, _zip_member(path, info), f"{info.file_size}-{info.CRC:08x}"


def _zip_member(path: Path, info: zipfile.ZipInfo) -> ZipMember | Closed:
    if unsafe(info.orig_filename):
        return Closed(RefusalCode.UNSAFE_NAME)
    if info.flag_bits & _ENCRYPTED:
        return Closed(RefusalCode.ENCRYPTED)
    return ZipMember(str(path), info.header_offset, info.compress_type, info.compress_size, info.file_size, info.CRC)


def _tar_members(path: Path, settings: Settings) -> Iterator[_Member]:
    """Members by their offset. A compressed tar is unpacked once to a temporary file, as it has no random access:
    reading it anew for every member would take quadratic time, keeping it in memory unbounded memory.
    """
    stamp = path.stat().st_mtime_ns
    compressed = _magic(path) in (_GZIP, _BZIP2, _XZ)
    plain = _unpack(path, settings.max_unpacked_bytes) if compressed else _Plain(str(path))
    seen: dict[str, Slice] = {}
    with tarfile.open(plain.path, "r:") as archive:
        for member in archive:
            if not member.isdir():
                source_open = _tar_member(plain, member, seen)
                yield member.name, source_open, f"{member.size}-{stamp}-{member.offset}"
    if not plain.whole:
        raise Refused(RefusalCode.BAD_ARCHIVE)


def _tar_member(plain: _Plain, member: tarfile.TarInfo, seen: dict[str, Slice]) -> Slice | Closed:
    """Links stand for the member they lead to, if it came before them."""
    if unsafe(member.name):
        return Closed(RefusalCode.UNSAFE_NAME)
    if member.islnk() or member.issym():
        base = posixpath.dirname(member.name) if member.issym() else ""
        return seen.get(posixpath.normpath(posixpath.join(base, member.linkname)), Closed(RefusalCode.OUTSIDE_TREE))
    if not member.isreg() or member.issparse():
        return Closed(RefusalCode.UNREADABLE, "It is not a regular file.")
    here = Slice(plain.path, member.offset_data, member.size, plain)
    seen[posixpath.normpath(member.name)] = here
    return here


@dataclass(eq=False)
class _Plain:
    """An uncompressed tar; where it is a temporary file it goes when the last source that needs it is gone.

    whole: False when it could be unpacked only up to some point.
    """

    path: str
    whole: bool = True


def _unpack(path: Path, limit: int) -> _Plain:
    with _room(path):
        plain = _Plain(str(Path(tempfile.gettempdir(), f"facesieve-{os.urandom(8).hex()}.tar")))
        # Before there is a file, so that none stays when a signal comes at once.
        remove = weakref.finalize(plain, _remove, plain.path, os.getpid())
        try:
            with open(plain.path, "xb", opener=_for_us_only) as target:
                plain.whole = _copy(path, target, limit)
        except BaseException:
            remove()
            raise
    return plain


def _for_us_only(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


@contextmanager
def _room(path: Path) -> Iterator[None]:
    """What the temporary folder refuses is no fault of the archive."""
    try:
        yield
    except OSError as error:
        why = error.strerror or "there is none"
        message = f"Cannot unpack {path} into the temporary folder ({why}); set TMPDIR to a folder with room."
        raise UsageError("no_temporary_room", message) from error


def _copy(path: Path, target: IO[bytes], limit: int) -> bool:
    """Whether all of the archive could be unpacked; what came before a fault, or before `limit` bytes, is kept.

    Raises OSError only where the target cannot be written.
    """
    room = limit
    for part in _parts(path):
        if part is None:
            return False
        target.write(part[:room])
        room -= len(part)
        if room < 0:
            return False
    return True


def _parts(path: Path) -> Iterator[bytes | None]:
    """The unpacked archive in parts; None at its end where it is damaged from there on."""
    try:
        with _decompressed(path) as stream:
            while part := stream.read1(_CHUNK):  # `read` would lose what precedes a fault
                yield part
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        yield None


def _decompressed(path: Path) -> BufferedIOBase:
    opens: dict[bytes, Callable[..., Any]] = {_GZIP: gzip.open, _BZIP2: bz2.open, _XZ: lzma.open}
    stream: BufferedIOBase = opens[_magic(path)](path)
    return stream


def _magic(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(2)


def _remove(path: str, owner: int) -> None:
    """A forked worker inherits the finalizer, but not the right to take the file from under the others."""
    if os.getpid() == owner:
        Path(path).unlink(missing_ok=True)
