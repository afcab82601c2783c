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
_EBML = b"\x1a\x45\xdf\xa3"
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
