"""Photos per second of a build of URLs against one of files, from a host on this machine that answers late.

    python bench/fetch.py FOLDER [--photos 60] [--latency 0.2] [--connections 64] [--rounds 3]

Prints the CPU and wall seconds of both builds, their ratio, and the most memory of each. The builds run in processes of
their own and take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

KINDS = (".jpg", ".jpeg", ".png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds before each answer")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        build(*given.one, given.connections)
        return
    files = sorted(path for path in given.folder.rglob("*") if path.suffix.lower() in KINDS)[: given.photos]
    port = serve(files, given.latency)
    with tempfile.TemporaryDirectory() as folder:
        lists = {"files": [str(path.resolve()) for path in files]}
        lists["urls"] = [f"http://127.0.0.1:{port}/{number}" for number in range(len(files))]
        for name, lines in lists.items():
            (Path(folder) / f"{name}.txt").write_text("\n".join(lines))
        seconds: dict[str, list[float]] = {name: [] for name in lists}
        for number in range(given.rounds):
            for name in lists:
                command = [sys.executable, __file__, str(given.folder), "--connections", str(given.connections)]
                command += ["--one", f"{folder}/{name}.txt", f"{folder}/{name}{number}"]
                answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                seconds[name].append(answer["wall"])
                print(f"{name}: {answer['wall']:.2f} s, {answer['cpu']:.2f} CPU s, {answer['peak']:.0f} MB")
    ratio = statistics.median(seconds["files"]) / statistics.median(seconds["urls"])
    print(f"photos per second of URLs, as a share of those of files: {ratio:.2f}")


def build(source: str, dataset: str, connections: int) -> None:
    """One build in this process; prints what it cost as JSON."""
    import facesieve

    settings = facesieve.Settings(
        workers=1,
        fetch_connections=connections,
        fetch_connections_per_host=connections,
        fetch_allow_addresses=["127.0.0.0/8"],
    )
    begun = time.perf_counter()
    facesieve.build(source, dataset, settings=settings, announce=lambda line: None)
    used = resource.getrusage(resource.RUSAGE_SELF)
    wall, cpu = time.perf_counter() - begun, used.ru_utime + used.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": used.ru_maxrss / 1024}))


def serve(files: list[Path], latency: float) -> int:
    """A host in a thread that answers `/N` with the N-th file, after so many seconds. Returns its port."""
    ready, ports = threading.Event(), list[int]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        data = files[int(head.split(b" ")[1][1:])].read_bytes()
        await asyncio.sleep(latency)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await server.serve_forever()

    threading.Thread(target=asyncio.run, args=(run(),), daemon=True).start()
    ready.wait()
    return ports[0]


if __name__ == "__main__":
    main()
