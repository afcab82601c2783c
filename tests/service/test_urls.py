"""The service fetches URLs that clients send: within the guard, the deadline and the memory that uploads have too."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forbidden_urls import LITERALS, SCHEMES
from picture_host import Answer, Host, answered, host
from raw import exchange, post
from running import Running, until

from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.fair_places import FairPlaces
from facesieve.service.held_bytes import HeldBytes
from facesieve.service.text import url_of

ADMITTED = "127.0.0.2"
MIB = 1 << 20


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that fetches URLs, and for which one address of this machine is admitted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACESIEVE_FETCH_ALLOW_ADDRESSES", f"{ADMITTED}/32")
        patch.setenv("FACESIEVE_FETCH_TRIES", "1")
        running = Running(tmp_path_factory.mktemp("fetching"), accept_urls=True, deadline=4, max_image_bytes=MIB)
    try:
        yield running.wait_ready()
    finally:
        running.end()


@pytest.fixture
def admitting(start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Running]:
    """`admitting(deadline=9)` returns a ready service for one test, like `fetching`."""
    monkeypatch.setenv("FACESIEVE_FETCH_ALLOW_ADDRESSES", f"{ADMITTED}/32")
    return lambda **settings: start(accept_urls=True, **settings)


def serving(data: bytes) -> Answer:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(data))

    return answer


def saying(data: bytes, then: bytes = b"", pause: float = 0.0) -> Answer:
    """A host that sends bytes, and then other bytes again and again until the client leaves."""

    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(data)
        while then and not writer.transport.is_closing():
            writer.write(then)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


def ask(service: Running, sent: Any, query: str = "") -> tuple[int, str]:
    """Status and code of the answer to JSON."""
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    [answer] = exchange(service.port, post(f"/v1/faces{query}", body, "Content-Type: application/json"))
    return answer.status, answer.code


def url_at(running: Host, path: str = "/a.jpg") -> str:
    return running.url(path, ADMITTED)


def test_a_url_is_answered_like_its_picture(fetching: Running, hopper: Path) -> None:
    with host(serving(hopper.read_bytes()), ADMITTED) as running:
        [answer] = exchange(
            fetching.port,
            post("/v1/faces?pose=0", json.dumps({"url": url_at(running)}).encode(), "Content-Type: application/json"),
        )
    assert answer.status == 200
    told, sent = answer.json(), fetching.faces(hopper.read_bytes(), "?pose=0").json()
    assert told | {"timings": 0} == sent | {"timings": 0} and told["faces_total"] == 1
    [line] = [line for line in fetching.events("request", at_least=1) if "fetched" in line][-1:]
    assert line["fetched"] == len(hopper.read_bytes()) and line["fetch_ms"] > 0
    assert 'facesieve_fetches_total{result="fetched"}' in fetching_metrics(fetching)


def fetching_metrics(service: Running) -> str:
    import requests

    return requests.get(f"{service.url}/metrics", timeout=5).text


def test_without_the_setting_a_url_is_refused_and_nothing_is_fetched(service: Running, hopper: Path) -> None:
    with host(serving(hopper.read_bytes())) as running:
        assert ask(service, {"url": running.url("/")}) == (415, "urls_not_accepted")
        assert running.connections == 0
    picture = base64.b64encode(hopper.read_bytes()).decode()
    assert ask(service, {"image_base64": picture}) == (200, "")


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"not JSON", (415, "not_an_image")),
        (b"{", (400, "bad_json")),
        (b"{}", (400, "no_image")),
        (b"[]", (400, "bad_json")),
        (b"null", (415, "not_an_image")),
        (b'{"url": null}', (400, "no_image")),
        (b'{"url": 7}', (400, "bad_json")),
        (b'{"url": ["http://example.org/"]}', (400, "bad_json")),
        (b'{"url": {"url": "http://example.org/"}}', (400, "bad_json")),
        (b'{"url": 1e999}', (400, "bad_json")),
        (b'{"url": ' + b"9" * 60_000 + b"}", (400, "bad_json")),
        (b'{"url": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", (400, "bad_json")),
        (b'{"a":' * 12_000 + b"1" + b"}" * 12_000, (400, "bad_json")),
        (b'{"url": "http://example.org/", "url": "http://example.org/"}', (400, "bad_json")),
        (b'{"url": "http://example.org/", "image_base64": "AAAA"}', (400, "bad_json")),
        (b'{"image_base64": "AAAA", "url": "http://example.org/"}', (400, "bad_json")),
        (b'{"url": "http://example.org/", "crops": "all"}', (400, "bad_json")),
        (b'{"url": "http://example.org/"} {}', (400, "bad_json")),
        (b'{"url": "\\ud800"}', (400, "bad_json")),
        (b'{"url": "\xff"}', (400, "bad_json")),
        (b'{"url": "\\x"}', (400, "bad_json")),
        (b'{"url": "a\nb"}', (400, "bad_json")),
        (b'{"url": "http://a\\nb/"}', (400, "bad_url")),
        (b'{"url": ""}', (400, "bad_url")),
        (b'{"url": "photo.jpg"}', (400, "bad_url")),
        (b'{"url": "http://"}', (400, "bad_url")),
        (b'{"url": "data:image/jpeg;base64,AAAA"}', (400, "bad_url")),
        (b'{"url": "http://example.org/' + b"a" * 9000 + b'"}', (400, "bad_url")),
        (b'{"url": "http://example.org/' + b"a" * 70_000 + b'"}', (400, "bad_json")),
        (b'{"url": "http://example.org/' + b"a" * 3 * MIB + b'"}', (413, "request_too_large")),
        (b'{"image_base64": "' + b"A" * 3 * MIB + b'"}', (413, "request_too_large")),
        (b'{"image_base64": "AAAA\\nAAAA"}', (415, "not_an_image")),
        (b'{"image_base64": "AA*A"}', (400, "bad_base64")),
        (b'{"image_base64": "http://example.org/a.jpg"}', (400, "bad_base64")),
        (b'{"image_base64": "data:text/html;base64,AAAA"}', (415, "not_an_image")),
        (b'{"image_base64": "data:image/jpeg,AAAA"}', (400, "bad_base64")),
        (b'{"image_base64": ""}', (400, "empty")),
    ],
)
def test_bad_json_has_a_documented_answer(fetching: Running, sent: bytes, answer: tuple[int, str]) -> None:
    assert ask(fetching, sent) == answer
    assert fetching.gauge("facesieve_held_bytes") == 0


@pytest.mark.parametrize(
    "head", ["data:image/jpeg;base64,", "data:image/x-unknown;charset=utf-8;base64,", "data:;base64,"]
)
def test_the_media_type_of_a_data_url_does_not_matter(fetching: Running, hopper: Path, head: str) -> None:
    text = base64.encodebytes(hopper.read_bytes()).decode()
    assert ask(fetching, {"image_base64": head + text}, "?pose=0") == (200, "")


@pytest.mark.parametrize("scheme", [*SCHEMES, "s3", "gs", "az"])
def test_no_other_scheme_is_fetched(fetching: Running, scheme: str) -> None:
    with host(serving(b"x"), ADMITTED) as running:
        assert ask(fetching, {"url": f"{scheme}://{ADMITTED}:{running.port}/etc/passwd"}) == (400, "bad_url")
    assert running.connections == 0


def test_no_url_and_no_redirect_leads_to_a_forbidden_address(fetching: Running) -> None:
    async def redirect(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        place = f"http://{LITERALS[int(path[1:])]}:{target.port}/"
        writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place.encode() + b"\r\n\r\n")

    allowed = {"forbidden_address", "bad_url", "fetch_failed", "fetch_timeout"}
    with (
        host(serving(b"x")) as target,
        host(serving(b"x"), "::1", target.port) as other,
        host(redirect, ADMITTED) as far,
    ):
        for number, name in enumerate(LITERALS):
            status, code = ask(fetching, {"url": f"http://{name}:{target.port}/"})
            assert code in allowed and status in (400, 422), (name, status, code)
            status, code = ask(fetching, {"url": url_at(far, f"/{number}")})
            assert code in allowed and status in (400, 422), (name, status, code)
    assert len(LITERALS) >= 60
    assert target.connections == other.connections == 0 and far.connections == len(LITERALS)


def endless_redirect(running: Host, writer: asyncio.StreamWriter, path: str) -> Any:
    async def answer() -> None:
        writer.write(answered(status="302 Found", Location=f"/{int(path[1:]) + 1}"))

    return answer()


HOSTS: dict[str, tuple[Answer, tuple[int, str]]] = {
    "endless body": (saying(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), (413, "too_many_bytes")),
    "endless chunks": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"),
        (413, "too_many_bytes"),
    ),
    "large length": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"x", 0.1),
        (413, "too_many_bytes"),
    ),
    "trickle": (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"x", 1.0), (422, "fetch_timeout")),
    "endless head": (saying(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 4096), (422, "fetch_failed")),
    "10,000 redirects": (endless_redirect, (422, "too_many_redirects")),
    "gzip bomb": (saying(answered(b"\x1f\x8b" + bytes(99), Content_Encoding="gzip")), (422, "fetch_failed")),
    "status 404": (saying(answered(status="404 Not Found")), (422, "fetch_failed")),
    "status 503": (saying(answered(status="503 Later", Retry_After="99")), (422, "fetch_failed")),
    "no HTTP": (saying(b"220 smtp ready\r\n"), (422, "fetch_failed")),
    "half a body": (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"), (422, "fetch_failed")),
    "robots": (saying(answered(b"x", X_Robots_Tag="noai")), (422, "disallowed_by_robots_header")),
    "HTML": (saying(answered(b"<!doctype html><title>no</title>", Content_Type="text/html")), (415, "not_an_image")),
    "a video": (saying(answered(bytes.fromhex("000000186674797069736f6d") + bytes(99))), (415, "")),
    "nothing": (saying(answered(b"")), (400, "empty")),
}


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_may_do_what_it_likes(fetching: Running, name: str) -> None:
    answer, (status, code) = HOSTS[name]
    begun = time.monotonic()
    with host(answer, ADMITTED) as running:
        found = ask(fetching, {"url": url_at(running, "/0")})
        assert found == (status, code or found[1])
        assert 1 <= len(running.asked) <= 6
        until(lambda: running.open == 0)
    assert time.monotonic() - begun < 30
    until(lambda: fetching.gauge("facesieve_held_bytes") == fetching.gauge("facesieve_fetching") == 0)


def test_a_host_without_a_name_or_a_listener_is_told(fetching: Running) -> None:
    assert ask(fetching, {"url": "http://nowhere.invalid/"})[1] in ("fetch_failed", "fetch_timeout")
    with socket.socket() as closed:
        closed.bind((ADMITTED, 0))
        assert ask(fetching, {"url": f"http://{ADMITTED}:{closed.getsockname()[1]}/"}) == (422, "fetch_failed")


def test_a_url_of_the_service_itself_ends(fetching: Running, admitting: Callable[..., Running]) -> None:
    assert ask(fetching, {"url": f"{fetching.url}/v1/faces"}) == (422, "forbidden_address")
    own = admitting(address="127.0.0.2")
    for path, code in (("/", "not_an_image"), ("/v1/faces", "fetch_failed")):
        assert own.post("/v1/faces", json={"url": own.url + path}).json()["error"]["code"] == code


def test_hosts_that_are_slow_take_no_place_of_uploads(admitting: Callable[..., Running], hopper: Path) -> None:
    service = admitting(workers=1, waiting=1, deadline=60)
    silent = saying(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.2)
    with host(silent, ADMITTED) as running:
        body = json.dumps({"url": url_at(running)}).encode()
        waiting = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(70)]
        for one in waiting:
            one.sendall(post("/v1/faces", body, "Content-Type: application/json"))
        until(lambda: service.gauge("facesieve_fetching") == 64)
        until(lambda: len(service.events("request")) >= 6)  # the others are told at once that the service is busy
        assert {line["code"] for line in service.events("request")} == {"busy"}
        assert running.most <= 16
        for _ in range(3):
            assert service.faces(hopper.read_bytes(), "?pose=0").status_code == 200
        for one in waiting:
            one.close()
        until(lambda: service.gauge("facesieve_fetching") == 0 and running.open == 0)
    assert 'facesieve_fetches_total{result="cancelled"} 64.0' in fetching_metrics(service)
    gone = [line for line in service.events("request") if line["code"] == "client_gone"]
    assert len(gone) == 64


def test_fetched_bytes_are_bounded_like_sent_ones(admitting: Callable[..., Running], hopper: Path) -> None:
    limits = {"max_image_bytes": MIB, "max_request_bytes": 3 * MIB, "max_held_bytes": 4 * MIB}
    service = admitting(deadline=60, **limits)
    most = saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MIB + bytes(MIB - 100_000), b"x", 0.2)
    with host(most, ADMITTED) as running:
        codes: list[str] = []
        body = post("/v1/faces", json.dumps({"url": url_at(running)}).encode(), "Content-Type: application/json")

        def one() -> None:
            try:
                codes.extend(answer.code for answer in exchange(service.port, body, seconds=5))
            except TimeoutError:
                codes.append("waits")

        threads = [threading.Thread(target=one) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(codes) == {"busy", "waits"} and codes.count("waits") <= 3
    until(lambda: service.gauge("facesieve_held_bytes") == 0)
    assert service.faces(hopper.read_bytes(), "?pose=0").status_code == 200


def test_a_stop_ends_fetches_in_time(admitting: Callable[..., Running]) -> None:
    service = admitting(deadline=60, drain=1)
    with host(saying(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.2), ADMITTED) as running:
        found: list[tuple[int, str]] = []
        thread = threading.Thread(target=lambda: found.append(ask(service, {"url": url_at(running)})))
        thread.start()
        until(lambda: running.open == 1)
        assert service.stop() == 0
        thread.join()
        until(lambda: running.open == 0)
    assert found == [(503, "deadline")]


def test_a_start_with_few_descriptors_keeps_some_for_fetches() -> None:
    from facesieve.service.descriptors import room_for_connections

    assert room_for_connections(100, 1, 64) <= room_for_connections(100, 1)


class _Holder:
    def __init__(self, client: tuple[str, str]) -> None:
        self.client, self.may_lose, self.lost = client, True, False

    def lose(self) -> None:
        self.lost = True


def test_a_client_with_few_places_takes_the_newest_of_the_one_with_most() -> None:
    places = FairPlaces(4)
    greedy, other = [_Holder(("greedy", "")) for _ in range(5)], [_Holder(("other", "")) for _ in range(3)]
    assert [places.enter(one) for one in greedy] == [True] * 4 + [False]
    assert [places.enter(one) for one in other] == [True, True, False]
    assert [one.lost for one in greedy] == [False, False, True, True, False] and len(places) == 4
    for one in [*greedy, *other]:
        places.leave(one)
    assert len(places) == 0 and places.admits(("greedy", ""))


@pytest.mark.parametrize("sizes", [(3, 3), (4, 2)])
def test_a_client_that_may_lose_no_place_protects_no_other_client(sizes: tuple[int, int]) -> None:
    places = FairPlaces(6)
    held = [[_Holder((str(number), "")) for _ in range(size)] for number, size in enumerate(sizes)]
    for holder in [*held[0], *held[1]]:
        assert places.enter(holder)
    for holder in held[0]:
        holder.may_lose = False
    newcomer = _Holder(("newcomer", ""))
    assert places.enter(newcomer) and len(places) == 6
    assert [one.lost for one in held[0]] == [False] * sizes[0]
    assert [one.lost for one in held[1]] == [False] * (sizes[1] - 1) + [True]


def test_a_client_without_a_place_is_admitted_beyond_the_limit_up_to_twice_the_limit() -> None:
    places = FairPlaces(2)
    clients = [_Holder((str(number), "")) for number in range(5)]
    assert [places.enter(one) for one in clients] == [True] * 4 + [False]
    assert not any(one.lost for one in clients)


@pytest.mark.parametrize(
    "body", [b'{"url":"http://a/"}', b'\xef\xbb\xbf {\n"url" :\t"http:\\/\\/a\\u002f" }\r\n', b'{"url": "http://a/"}  ']
)
def test_a_url_in_json_is_read_in_every_notation(body: bytes) -> None:
    assert url_of(body) == "http://a/"


def test_a_url_that_never_ends_is_no_url() -> None:
    assert url_of(b'{"url": "' + b"\\" * 60_001 + b'"}') is None
    assert url_of(b'{"url": "' + b"a" * 60_000) is None
    with pytest.raises(ApiError) as error:
        url_of(b'{"url": "\\q"}')
    assert error.value.code == ErrorCode.BAD_JSON


def test_held_bytes_are_counted_up_and_down() -> None:
    held = HeldBytes(100)
    held.add(("a", ""), 70)
    held.release(("a", ""), 70)
    assert held.total == 0 and held.has_room(("a", ""), 75)
