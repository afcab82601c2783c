"""Receives the body of one request: checks its size, unpacks it, collects it, and counts the bytes held."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from facesieve.service.admission import Admission
from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.body import Body, WholeBody
from facesieve.service.content_encoding import unpacker
from facesieve.service.fair_queue import Client
from facesieve.service.time_slices import TimeSlices


class Receiver:
    """Passes the unpacked body to a `Body` in small steps. received: bytes that have arrived, before unpacking.

    The bytes that the body holds are counted in `admission` until `release` or `drop` releases them.
    """

    def __init__(self, admission: Admission, time_slices: TimeSlices, client: Client) -> None:
        self.received = 0
        self._admission = admission
        self._time_slices = time_slices
        self._client = client
        self._largest = 0
        self._unpacked = 0
        self._held = 0
        self._dropped = False
        self._check: Callable[[], None] = lambda: None
        self._unpacker = unpacker({})
        self._body: Body = WholeBody()

    def limit(self, headers: Mapping[str, str], largest: int) -> None:
        """Check what the headers say about the body. largest: most bytes, both before and after unpacking.

        Raises ApiError `request_too_large`, `unsupported_encoding`.
        """
        self._largest = largest
        self._check_size(int(headers.get("Content-Length", "0")))
        self._unpacker = unpacker(headers)

    def collect(self, body: Body, check: Callable[[], None]) -> None:
        """Set where the body goes. check: called before each step; it may raise ApiError to end the request."""
        self._body = body
        self._check = check

    async def feed(self, chunk: bytes) -> None:
        """Take the next bytes in steps; between them, other requests may run. Raises ApiError."""
        self.received += len(chunk)
        self._check_size(self.received)
        pieces = self._unpacker.feed(chunk, self._body.step)
        while not self._dropped:
            async with self._time_slices:
                piece = next(pieces, b"")
                if piece and not self._dropped:
                    self._take(piece)
            if not piece:
                return

    def finish(self) -> None:
        """Check the end of the body. Raises ApiError `bad_encoding` if something is missing."""
        self._unpacker.finish()

    def release(self, size: int) -> None:
        """Count `size` bytes of the body as no longer held."""
        size = max(0, min(size, self._held))
        self._admission.held.release(self._client, size)
        self._held -= size

    def hold(self, size: int) -> bool:
        """Count `size` bytes as held instead of what was held before.

        If there is no room for them, nothing is held any more, and the result is False.
        """
        if self._dropped:
            return False
        self.release(self._held - size)
        more = size - self._held
        if not self._admission.held.has_room(self._client, more):
            self.release(self._held)  # at once, because other requests that fetch need only this room
            return False
        self.keep(more)
        return True

    def keep(self, size: int) -> None:
        """Count `size` bytes more as held, such as answers that are kept until all are sent."""
        self._admission.held.add(self._client, size)
        self._held += size

    def drop(self) -> None:
        """Release the body, and ignore the rest of it."""
        self._dropped = True
        self._body.clear()
        self.release(self._held)

    def _take(self, piece: bytes) -> None:
        self._unpacked += len(piece)
        self._check_size(self._unpacked)
        self._check()
        held = self._body.feed(piece)
        self._admission.hold(self._client, held)
        self._held += held

    def _check_size(self, size: int) -> None:
        if size > self._largest:
            raise ApiError(ErrorCode.REQUEST_TOO_LARGE, details={"max_bytes": self._largest})
