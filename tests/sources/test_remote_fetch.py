"""One URL is fetched from a real host on this machine, which behaves in every way that a stranger's may."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from forbidden_urls import LITERALS, SCHEMES
from picture_host import Host, answered, host

from facesieve.errors import Refused
from facesieve.settings import Settings
from facesieve.sources.remote.fetch import Fetcher
from facesieve.sources.remote.resolver import Answers

OURS = ("127.0.0.0/8",)


def fetched(url: str, lookup: Any = None, **settings: Any) -> bytes | str:
    """The bytes behind a URL, or the code and message of its refusal."""
    given = {
        "fetch_allow_addresses": OURS,
        "fetch_tries": 1,
        "fetch_timeout": 5.0,
        "fetch_connect_timeout": 5.0,
    } | settings

    async def run() -> bytes:
        return await Fetcher(Settings(**given), lookup).fetch(url)

    try:
        return asyncio.run(run())
    except Refused as refused:
        return f"{refused.code.value}: {refused.message or refused.code.sentence}"


async def plain(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(answered(b"bytes of " + path.encode()))


def test_a_url_is_fetched() -> None:
    with host(plain) as running:
        assert fetched(running.url("//a//b.jpg?c=d")) == b"bytes of //a//b.jpg?c=d"
    assert running.asked == ["//a//b.jpg?c=d"]


def test_a_request_says_who_asks_and_how_to_reach_us() -> None:
    with host(plain) as running:
        fetched(running.url("/"), fetch_contact="https://example.org/crawler")
    assert "\r\nUser-Agent: facesieve/" in running.heads[0]
    assert " (https://example.org/crawler)\r\n" in running.heads[0]


def test_a_body_without_a_length_is_whole_when_the_connection_closes() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall")

    with host(answer) as running:
        assert fetched(running.url("/")) == b"all"


def test_a_chunked_body_is_joined() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    with host(answer) as running:
        assert fetched(running.url("/")) == b"abcde"


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone", "403 Forbidden", "401 Unauthorized", "204 No Content"])
def test_a_status_that_will_not_change_is_told_after_one_request(status: str) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(status=status))

    with host(answer) as running:
        code, name = status.split(" ", 1)
        assert (
            fetched(running.url("/"), fetch_tries=3) == f"fetch_failed: The host answered with status {code} ({name})."
        )
    assert len(running.asked) == 1


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable"])
def test_a_busy_host_is_asked_again(status: str) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(b"at last") if len(running.asked) == 3 else answered(status=status, Retry_After="0"))

    with host(answer) as running:
        assert fetched(running.url("/"), fetch_tries=3) == b"at last"
        assert len(running.asked) == 3


def test_retry_after_is_waited_for() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(b"now") if len(running.asked) == 2 else answered(status="429 Wait", Retry_After="1"))

    with host(answer) as running:
        begun = time.monotonic()
        assert fetched(running.url("/"), fetch_tries=2) == b"now"
        assert time.monotonic() - begun >= 1


def test_a_host_that_asks_for_an_hour_is_left_for_the_next_build() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(status="503 Later", Retry_After="3600"))

    with host(answer) as running:
        assert (
            fetched(running.url("/"), fetch_tries=5)
            == "fetch_failed: The host answered with status 503 (Service Unavailable)."
        )
    assert len(running.asked) == 1


def test_too_many_bytes_are_refused_by_their_length_before_they_come() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n")
        await asyncio.sleep(30)

    with host(answer) as running:
        assert fetched(running.url("/")).startswith("too_many_bytes")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_never_ends_is_refused_at_the_limit(chunked: bool) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n" if chunked else b"") + b"\r\n")
        part = b"x" * 65536
        while True:
            writer.write(b"10000\r\n" + part + b"\r\n" if chunked else part)
            await writer.drain()

    with host(answer) as running:
        assert fetched(running.url("/"), max_file_bytes=10**6).startswith("too_many_bytes")


def test_a_trickle_is_refused_when_its_time_is_over() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    with host(answer) as running:
        assert fetched(running.url("/"), fetch_timeout=0.5, fetch_tries=3).startswith("fetch_timeout")
        assert len(running.asked) == 1


def test_a_body_that_breaks_off_is_a_failure() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")

    with host(answer) as running:
        assert fetched(running.url("/")) == (
            "fetch_failed: The host closed the connection before the whole answer was there."
        )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"not HTTP at all\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_failure(answer: bytes) -> None:
    async def say(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answer)

    with host(say) as running:
        assert fetched(running.url("/")).startswith("fetch_failed: ")


def test_a_gzip_bomb_is_not_unpacked() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(b"\x1f\x8b", Content_Encoding="gzip"))

    with host(answer) as running:
        assert fetched(running.url("/")) == "fetch_failed: The host sent the content encoded as 'gzip'."
    assert "Accept-Encoding: identity" in running.heads[0]


def test_redirects_are_followed_to_their_end() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        step = int(path[1:])
        writer.write(answered(status="302 Found", Location=str(step + 1)) if step < 5 else answered(b"end"))

    with host(answer) as running:
        assert fetched(running.url("/0")) == b"end"
        assert running.asked == ["/0", "/1", "/2", "/3", "/4", "/5"]


def test_redirects_without_end_are_refused() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(status="301 Moved", Location="/"))

    with host(answer) as running:
        assert fetched(running.url("/"), fetch_redirects=7).startswith("too_many_redirects")
        assert len(running.asked) == 8


@pytest.mark.parametrize(
    "value",
    [
        "noai",
        "noindex, NoImageAI",
        "facesieve: noai",
        "*: noimageai",
        "max-image-preview: large, noai",
        "Unavailable_After: 25 Jun 2026 15:00:00 PST, noai",
        "facesieve: max-snippet: 5, noai",
    ],
)
def test_what_a_host_forbids_for_training_is_refused(value: str) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(b"x", X_Robots_Tag=value))

    with host(answer) as running:
        assert fetched(running.url("/")).startswith("disallowed_by_robots_header")
        assert fetched(running.url("/"), fetch_respect_robots=False) == b"x"


@pytest.mark.parametrize(
    "value",
    ["noindex", "otherbot: noai", "otherbot: max-snippet: 5, noai", "unavailable_after: 25 Jun 2026 15:00:00 PST", ""],
)
def test_what_a_host_says_to_others_is_not_for_us(value: str) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(b"x", X_Robots_Tag=value))

    with host(answer) as running:
        assert fetched(running.url("/")) == b"x"


def test_a_host_without_an_address_and_one_that_refuses_are_told_apart() -> None:
    def none(name: str, port: int, family: int) -> Answers:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert fetched("http://nowhere.example/", none) == "fetch_failed: The host name has no address."
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        assert fetched(f"http://127.0.0.1:{port}/") == "fetch_failed: The host refused the connection."


def test_a_host_that_does_not_answer_is_given_up() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        await asyncio.sleep(30)

    with host(answer) as running:
        assert fetched(running.url("/"), fetch_timeout=0.3).startswith("fetch_timeout")


def test_a_name_server_that_does_not_answer_is_given_up() -> None:
    def slow(name: str, port: int, family: int) -> Answers:
        time.sleep(2)
        return []

    begun = time.monotonic()
    assert fetched("http://slow.example/", slow, fetch_connect_timeout=0.3).startswith("fetch_timeout")
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("name", LITERALS)
def test_no_notation_of_an_address_leads_to_a_connection(name: str) -> None:
    with host(plain, "0.0.0.0") as running, host(plain, "::1", running.port) as other:
        answer = fetched(f"http://{name}:{running.port}/", fetch_allow_addresses=(), fetch_connect_timeout=2.0)
        assert str(answer).startswith(("forbidden_address", "bad_url", "fetch_failed: The host name has no address"))
    assert running.connections == other.connections == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_other_scheme_leads_to_a_connection(scheme: str) -> None:
    with host(plain) as running:
        assert str(fetched(f"{scheme}://127.0.0.1:{running.port}/etc/passwd")).startswith("bad_url")
    assert running.connections == 0


@pytest.mark.parametrize("name", [name for name in LITERALS if "@" not in name and "#" not in name])
def test_no_redirect_leads_to_a_forbidden_address(name: str) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://" + f"{name}:{target.port}/".encode() + b"\r\n\r\n")

    with host(plain, "0.0.0.0") as target, host(plain, "::1", target.port) as other, host(answer, "127.0.0.2") as start:
        result = fetched(
            start.url("/", "127.0.0.2"), fetch_allow_addresses=("127.0.0.2/32",), fetch_connect_timeout=2.0
        )
        assert isinstance(result, str)
    assert start.connections == 1 and target.connections == other.connections == 0


def test_a_name_with_one_forbidden_address_is_forbidden() -> None:
    def two(name: str, port: int, family: int) -> Answers:
        return [(socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET, ("10.0.0.1", port))]

    with host(plain) as running:
        assert str(fetched(f"http://two.example:{running.port}/", two)).startswith("forbidden_address")
    assert running.connections == 0


def test_a_name_that_changes_its_address_between_two_lookups_reaches_nothing_new() -> None:
    asked = []

    def rebinding(name: str, port: int, family: int) -> Answers:
        asked.append(name)
        return [(socket.AF_INET, ("127.0.0.2" if len(asked) == 1 else "127.0.0.1", port))]

    with host(plain, "127.0.0.1") as forbidden, host(plain, "127.0.0.2", forbidden.port) as admitted:
        answer = fetched(f"http://re.example:{admitted.port}/", rebinding, fetch_allow_addresses=("127.0.0.2/32",))
        assert answer == b"bytes of /"
    assert (len(asked), admitted.connections, forbidden.connections) == (1, 1, 0)


def said(data: bytes, **settings: Any) -> bytes | str:
    """What comes of an answer of exactly these bytes."""

    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(data)

    with host(answer) as running:
        return fetched(running.url("/"), **settings)


def test_early_hints_before_an_answer_are_skipped() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nX-Robots-Tag: noai\r\n\r\n"
    answer = answered(b"picture")
    assert said(hint + answer) == said(hint * 3 + answer) == b"picture"
    assert said(hint * 1000 + answer) == "fetch_failed: The host answered with status 103 (Early Hints)."


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"a" * 1_000_000,
        b"\r\n".join(b"X%d: 1" % number for number in range(100_000)),
        b"Content-Length: \xb2",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 100,
    ],
    ids=["long header", "many headers", "odd length", "long size of a chunk"],
)
def test_an_answer_that_breaks_the_rules_is_one_failure_at_once_without_a_log_line(
    head: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    found = said(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n", fetch_timeout=60.0)
    assert found == "fetch_failed: The host closed the connection before the whole answer was there."
    assert capfd.readouterr().err == ""


def test_chunk_extensions_and_trailers_are_no_part_of_a_picture() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert said(head + b'3;name=value;other="a b"\r\nabc\r\n0;last\r\nX-Sum: 1\r\n\r\n') == b"abc"
    assert str(said(head + b"3;" + b"a" * 200_000 + b"\r\nabc\r\n0\r\n\r\n")).startswith("fetch_failed: ")


def test_the_next_address_is_tried_where_the_first_is_dead() -> None:
    def two(name: str, port: int, family: int) -> Answers:
        return [(socket.AF_INET, ("127.0.0.3", dead)), (socket.AF_INET, ("127.0.0.1", port))]

    with socket.socket() as full, host(plain) as running:
        full.bind(("127.0.0.3", 0))
        full.listen(0)
        dead = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]  # they fill the queue, so that the next one gets no answer
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.3", dead))
        url = f"http://two.example:{running.port}/"
        begun = time.monotonic()
        assert fetched(url, two, fetch_connect_timeout=60.0) == b"bytes of /"
        assert time.monotonic() - begun < 30
        for one in waiting:
            one.close()


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_a_cancelled_fetch_closes_its_connection(begin: bytes) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(begin)
        while not writer.transport.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async def run() -> None:
        fetch = asyncio.ensure_future(Fetcher(Settings(fetch_allow_addresses=OURS)).fetch(running.url("/")))
        await until(lambda: running.open == 1)
        await asyncio.sleep(0.1)
        fetch.cancel()
        await asyncio.wait([fetch])
        await until(lambda: running.open == 0)

    async def until(true: Any) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.02)

    with host(answer) as running:
        asyncio.run(run())


def test_a_name_server_that_is_silent_does_not_keep_a_program_from_ending() -> None:
    code = """
import asyncio, time
from facesieve.errors import Refused
from facesieve.settings import Settings
from facesieve.sources.remote.fetch import Fetcher
fetcher = Fetcher(Settings(fetch_connect_timeout=0.2, fetch_tries=1), lambda *asked: time.sleep(600) or [])
try:
    asyncio.run(fetcher.fetch("http://silent.example/"))
except Refused as refused:
    print(refused.code.value)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (found.stdout, found.stderr, found.returncode) == ("fetch_timeout\n", "", 0)


def test_a_date_beyond_all_dates_is_no_reason_to_wait() -> None:
    for date in ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", "Thu, 01 Jan 2030 00:00:00 +99999999999999999999"):
        answer = answered(status="429 Too Many Requests", Retry_After=date)
        assert said(answer, fetch_tries=2) == "fetch_failed: The host answered with status 429 (Too Many Requests)."


def test_a_redirect_may_hold_bytes_that_are_not_ascii() -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        to = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\xc3\xa9\xff\r\n\r\n"
        writer.write(to if path == "/" else answered(path.encode()))

    with host(answer) as running:
        assert fetched(running.url("/")) == b"/%C3%A9%FF"


def test_a_host_that_closes_before_encryption_is_a_failure_without_a_log_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        url = f"https://127.0.0.1:{closing.getsockname()[1]}/"

        def run() -> None:
            connection, _ = closing.accept()
            connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        assert str(fetched(url)).startswith("fetch_failed: ")
        thread.join()
    assert capfd.readouterr().err == ""
