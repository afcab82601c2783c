"""What a body is collected in while it arrives."""

from __future__ import annotations

from typing import Protocol


class Body(Protocol):
    """step: most bytes that are fed at once, so that no feed takes long."""

    step: int

    def feed(self, piece: bytes) -> int:
        """Take the next bytes of the body; how many more bytes are held now. Raises Fault."""

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
