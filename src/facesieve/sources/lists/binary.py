"""Files that are named like a list and are something else, which their first bytes show."""

from __future__ import annotations

from pathlib import Path

from facesieve.errors import UsageError
from facesieve.sources.lists.columns import shown

HEAD = 4096  # bytes from which `refuse_other_files` recognises a file

_UNPACK, _SAVE = "unpack it first", "save its table as CSV"
_PICTURE = ("a picture", "rename it with the suffix of its format, such as .jpg")
_OFFICE = ("an Office document", _SAVE)
_PARQUET = ("a Parquet file", "rename it to .parquet")
_BINARY = ("not text", "lists are text or Parquet files")

_KINDS = (
    (b"\x1f\x8b", ("a gzip file", _UNPACK)),
    (b"\xfd7zXZ\0", ("an xz file", _UNPACK)),
    (b"BZh", ("a bzip2 file", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", ("a Zstandard file", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", ("a 7z archive", _UNPACK)),
    (b"Rar!\x1a\x07", ("a RAR archive", _UNPACK)),
    (b"PK\3\4", ("a zip archive", "rename it to .zip")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OFFICE),
    (b"PAR1", _PARQUET),
    (b"ARROW1", ("an Arrow file", "save it as Parquet or CSV")),
    (b"SQLite format 3\0", ("an SQLite database", _SAVE)),
    (b"%PDF-", ("a PDF document", _SAVE)),
    *((magic, _PICTURE) for magic in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")),
)
_IN_OFFICE = (b"[Content_Types].xml", b"mimetypeapplication/vnd.oasis.opendocument")  # at the beginning of such zips
_TAR = (257, b"ustar")
_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\v\f\r\x1a\x1b"))  # text in any 8-bit encoding has none of them
_MOST_CONTROLS = 0.02  # of the bytes; damaged text may have a few


def refuse_other_files(path: Path, head: bytes) -> None:
    """Raise UsageError `bad_list` if a file is of a known kind that its suffix does not name. head: its first bytes."""
    kind = _kind(head)
    if kind is not None and not (kind == _PARQUET and path.suffix.lower() == ".parquet"):
        raise _other_file(path, kind)


def refuse_binary(path: Path, head: bytes) -> None:
    """Raise UsageError `bad_list` if these first bytes of a file are not text in an 8-bit encoding."""
    if _controls(head) > max(2, _MOST_CONTROLS * len(head)):
        raise _other_file(path, _BINARY)


def _kind(head: bytes) -> tuple[str, str] | None:
    """What a file is, and what to do with it; None for text, and for a kind that is not known."""
    if not _controls(head):  # a path in a list of text may begin like some of the kinds
        return None
    if head.startswith(b"PK\3\4") and any(name in head for name in _IN_OFFICE):
        return _OFFICE
    if head.startswith(_TAR[1], _TAR[0]):
        return "a tar archive", "rename it to .tar"
    return next((kind for magic, kind in _KINDS if head.startswith(magic)), None)


def _controls(head: bytes) -> int:
    return len(head) - len(head.translate(None, _CONTROLS))


def _other_file(path: Path, kind: tuple[str, str]) -> UsageError:
    what, advice = kind
    return UsageError("bad_list", f"{shown(path)} is {what}, although its name ends in {path.suffix}; {advice}.")
