"""The format of a clip, from the beginning of its bytes alone, so that FFmpeg opens nothing but clips."""

from __future__ import annotations

from facesieve.decode.formats import is_picture_container
from facesieve.errors import Refused
from facesieve.records import RefusalCode

CLIPS = ("mp4", "mov", "mkv", "webm", "avi", "mpegts")

# What FFmpeg may open: these formats, from a file. No other format or protocol that it knows is tried.
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts"

_PLAYLISTS = (b"#EXTM3U", b"ffconcat version", b"[playlist]", b"<MPD", b"<smil", b"<asx", b"<ASX", b"v=0\r\n", b"v=0\n")
_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_PACKETS = ((0, 188), (4, 192))  # where the first packet of a transport stream begins, and how long packets are
_LOOK = 4096  # bytes in which a header says what it is


def clip_format(head: bytes) -> str:
    """One of `CLIPS`; "" if these bytes begin no clip.

    Raises Refused `playlist` for a text that names other files or URLs.
    """
    text = head[:_LOOK].removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(_PLAYLISTS) or (text.startswith(b"<?xml") and any(one in text for one in (b"<MPD", b"<smil"))):
        raise Refused(RefusalCode.PLAYLIST)
    if head[4:8] == b"ftyp":
        if is_picture_container(head):
            return ""
        return "mov" if head[8:12] == b"qt  " else "mp4"
    if head[4:8] in _QUICKTIME:
        return "mov"
    if head.startswith(_EBML):
        return "webm" if b"webm" in head[:64] else "mkv" if b"matroska" in head[:64] else ""
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    return "mpegts" if any(map(_has_packets, [head] * len(_PACKETS), _PACKETS)) else ""


def is_cut_off(format: str, head: bytes, length: int) -> bool:
    """Whether the end of a clip may be missing, as far as its first bytes and its length in bytes say.

    A Matroska file says how long it is, and its duration is that of its longest stream, not of the video. The duration
    of a transport stream is not written down; FFmpeg takes it from the last packets.
    """
    if format in ("mkv", "webm"):
        end = _end_of_segment(head)
        return end is None or length < end
    return format != "mpegts"


def is_clip(head: bytes) -> bool:
    """Whether these bytes begin a clip. A playlist is none."""
    try:
        return bool(clip_format(head))
    except Refused:
        return False


def _has_packets(head: bytes, packets: tuple[int, int]) -> bool:
    """Whether three packets in a row begin with their sync byte (ISO/IEC 13818-1, 2.4.3.2)."""
    first, step = packets
    return [head[first + at * step : first + at * step + 1] for at in range(3)] == [b"G"] * 3


def _end_of_segment(head: bytes) -> int | None:
    """The position after the last byte of a Matroska file (RFC 8794); None if the file does not say."""
    size, body = _vint(head, len(_EBML))
    if size is None or head[body + size : body + size + 4] != _SEGMENT:
        return None
    size, body = _vint(head, body + size + 4)
    return None if size is None else body + size


def _vint(head: bytes, at: int) -> tuple[int | None, int]:
    """A number of variable length, None if all its bits are 1, and the position after it."""
    first = head[at] if at < len(head) else 0
    width = 9 - first.bit_length()
    value = int.from_bytes(head[at : at + width], "big") & ((1 << 7 * width) - 1)
    return None if not first or value == (1 << 7 * width) - 1 else value, at + width
