"""Collects a body while it arrives, and holds the pictures found in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class PictureBytes:
    """One picture as it was sent. Only this object refers to the bytes, so that they can be released.

    text: whether it may be base64 or a data URL: its field had no file name, or its header said base64.
    """

    content: bytes
    text: bool = False


class Body(Protocol):
    """Collects a body. step: most bytes in one call of `feed`, so that no call takes long."""

    step: int

    def feed(self, piece: bytes) -> int:
        """Take the next bytes of the body. Returns how many more bytes are held now. Raises ApiError."""

    def clear(self) -> None:
        """Release all bytes."""


class WholeBody:
    """A body that is kept as it arrives."""

    step = 1 << 16

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, piece: bytes) -> int:
        self._pieces.append(piece)
        return len(piece)

    def content(self) -> bytes:
        """Return all bytes and release them."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole

    def clear(self) -> None:
        self._pieces.clear()
