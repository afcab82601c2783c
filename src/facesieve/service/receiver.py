"""The body of one request while it arrives: limited, unpacked, collected and counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from facesieve.service.body import Body, Whole
from facesieve.service.faults import Fault, FaultCode
from facesieve.service.gate import Client, Gate
from facesieve.service.turns import Turns
from facesieve.service.unpack import unpacker


class Receiver:
    """Passes the unpacked body to a `Body` in small steps. received: bytes that have arrived, as they were sent.

    What the body holds is counted in `gate` until `drop`, or until `let_go` says that it is held no longer.
    """

    def __init__(self, gate: Gate, turns: Turns, client: Client) -> None:
        self.received = 0
        self._gate = gate
        self._turns = turns
        self._client = client
        self._largest = 0
        self._unpacked = 0
        self._held = 0
        self._dropped = False
        self._check: Callable[[], None] = lambda: None
        self._unpacker = unpacker({})
        self._body: Body = Whole()

    def limit(self, headers: Mapping[str, str], largest: int) -> None:
        """Check what the headers say of the body. largest: bytes, packed and unpacked.

        Raises Fault `request_too_large`, `unsupported_encoding`.
        """
        self._largest = largest
        self._check_size(int(headers.get("Content-Length", "0")))
        self._unpacker = unpacker(headers)

    def collect(self, body: Body, check: Callable[[], None]) -> None:
        """Where the body goes. check: called for each step; raises Fault if the request can no longer be served."""
        self._body = body
        self._check = check

    async def feed(self, chunk: bytes) -> None:
        """Take the next bytes, in steps after which other requests get their turn. Raises Fault."""
        self.received += len(chunk)
        self._check_size(self.received)
        pieces = self._unpacker.feed(chunk, self._body.step)
        while not self._dropped:
            async with self._turns:
                piece = next(pieces, b"")
                if piece and not self._dropped:
                    self._take(piece)
            if not piece:
                return

    def finish(self) -> None:
        """The body has ended. Raises Fault `bad_encoding` if something is missing."""
        self._unpacker.finish()

    def let_go(self, size: int) -> None:
        """Count `size` bytes of the body as no longer held."""
        size = min(size, self._held)
        self._gate.release(self._client, size)
        self._held -= size

    def keep(self, size: int) -> None:
        """Count `size` bytes of answers that are kept with the body until all are sent."""
        self._gate.keep(self._client, size)
        self._held += size

    def drop(self) -> None:
        """Hold nothing of the body any more, and take no more of it."""
        self._dropped = True
        self._body.clear()
        self.let_go(self._held)

    def _take(self, piece: bytes) -> None:
        self._unpacked += len(piece)
        self._check_size(self._unpacked)
        self._check()
        held = self._body.feed(piece)
        self._gate.hold(self._client, held)
        self._held += held

    def _check_size(self, size: int) -> None:
        if size > self._largest:
            raise Fault(FaultCode.REQUEST_TOO_LARGE, details={"max_bytes": self._largest})
