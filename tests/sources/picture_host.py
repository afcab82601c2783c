"""An HTTP host on this machine. The test supplies the function that answers, so it can misbehave like any host."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Answer = Callable[["Host", asyncio.StreamWriter, str], Awaitable[None]]


@dataclass
class Host:
    """A running host.

    port: where it listens. asked: the paths that were asked for, in order. heads: their request headers.
    bodies: their bodies. patient: whether bodies are read before the host answers.
    connections: how many were opened. most: how many were open at once.
    """

    port: int = 0
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    patient: bool = True
    connections: int = 0
    open: int = 0
    most: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@contextmanager
def host(answer: Answer, address: str = "127.0.0.1", port: int = 0) -> Iterator[Host]:
    """A host that answers with `answer`, in a thread of its own, until the context ends."""
    running, loop, ready = Host(), asyncio.new_event_loop(), threading.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.connections += 1
        running.open += 1
        running.most = max(running.most, running.open)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ")[1]
            running.asked.append(path)
            running.heads.append(head)
            length = re.search(r"(?i)^content-length: (\d+)\r$", head, re.MULTILINE) if running.patient else None
            running.bodies.append(await reader.readexactly(int(length[1])) if length else b"")
            await answer(running, writer, path)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            running.open -= 1
            writer.close()

    async def start() -> None:
        server = await asyncio.start_server(serve, address, port)
        running.port = server.sockets[0].getsockname()[1]
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.create_task(start())
        loop.run_forever()
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def answered(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """An answer as bytes. Underscores in names of headers become hyphens."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
