"""What a body is collected in while it arrives, and the pictures that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class PictureBytes:
    """One picture as it was sent. Only this object holds the bytes, so that they can be released.

    text: it may be base64 or a data URL, because it came in a field without a file name, or was said to be base64.
    """

    content: bytes
    text: bool = False


class Body(Protocol):
    """step: most bytes that are fed at once, so that no feed takes long."""

    step: int

    def feed(self, piece: bytes) -> int:
        """Take the next bytes of the body; how many more bytes are held now. Raises ApiError."""

    def clear(self) -> None:
        """Hold nothing any more."""


class Whole:
    """A body that is taken as it is."""

    step = 1 << 16

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, piece: bytes) -> int:
        self._pieces.append(piece)
        return len(piece)

    def content(self) -> bytes:
        """All bytes; they are held here no longer."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole

    def clear(self) -> None:
        self._pieces.clear()
