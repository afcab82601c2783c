"""Bodies of other kinds: packed, base64, data URLs, JSON. Taken, or refused with a message that says what to send."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import random
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import psutil
import pytest
from raw import exchange, file_part, form, post, post_form

from facesieve.service.api_errors import ApiError
from facesieve.service.content_encoding import unpacker
from facesieve.service.text import picture_of
from facesieve.service.time_slices import TimeSlices

MIB = 1 << 20


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": ("gzip", gzip.compress),
    "gzip of two members": ("GZip", lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:])),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without a wrapper": ("deflate", raw_deflate),
    "identity": ("identity", lambda data: data),
}


@pytest.mark.parametrize("name", PACKERS)
def test_a_packed_body_is_unpacked_on_every_route(service: Any, hopper: Path, name: str) -> None:
    said, pack = PACKERS[name]
    line, data = f"Content-Encoding: {said}", hopper.read_bytes()
    [faces] = exchange(service.port, post("/v1/faces", pack(data), line))
    assert faces.json()["faces_total"] == 1
    whole = form(file_part(data))
    [upload] = exchange(
        service.port, post("/upload", pack(whole), line, "Content-Type: multipart/form-data; boundary=BB")
    )
    assert upload.json()["face_total"] == 1
    [sieve] = exchange(service.port, post("/v1/sieve", pack(b'{"measures": [{"blur": 1}]}'), line))
    assert sieve.json()["total"] == 1


@pytest.mark.parametrize("said", ["br", "zstd", "compress", "gzip, gzip", "aes128gcm", "\xe9"])
def test_another_encoding_is_415_and_says_which_are_taken(service: Any, said: str) -> None:
    [answer] = exchange(service.port, post("/v1/faces", b"x" * 100, f"Content-Encoding: {said}"))
    assert (answer.status, answer.code) == (415, "unsupported_encoding")
    assert "gzip" in answer.json()["error"]["message"] and answer.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ("gzip", b""),
        ("gzip", b"\xff\xd8\xff no gzip"),
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-4]),
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-8] + b"12345678"),
        ("gzip", gzip.compress(b"x" * 1000, mtime=0) + b"junk"),
        ("deflate", zlib.compress(b"x" * 1000) + b"junk"),
        ("deflate", zlib.compress(b"x" * 1000)[:-1]),
        ("deflate", b"\xff\xff\xff"),
    ],
)
def test_a_packed_body_that_is_damaged_or_cut_off_is_400(service: Any, said: str, body: bytes) -> None:
    [answer] = exchange(service.port, post("/v1/faces", body, f"Content-Encoding: {said}"))
    assert (answer.status, answer.code) == (400, "bad_encoding")
    assert service.gauge("facesieve_held_bytes") == 0


@pytest.mark.parametrize("said", ["gzip", "deflate"])
def test_a_bomb_is_refused_while_it_unpacks(service: Any, said: str) -> None:
    """A gigabyte in a megabyte: the limit of the route holds for what is unpacked."""
    packer = zlib.compressobj(9, wbits=31 if said == "gzip" else 15)
    bomb = b"".join([packer.compress(bytes(MIB)) for _ in range(1000)]) + packer.flush()
    process = psutil.Process(service.process.pid)
    for path in ("/v1/faces", "/uploads", "/v1/sieve"):
        before = process.memory_info().rss
        kind = "Content-Type: multipart/form-data; boundary=BB" if path == "/uploads" else "Content-Type: image/png"
        [answer] = exchange(service.port, post(path, bomb[: 900 * 1024], f"Content-Encoding: {said}", kind))
        assert (answer.status, answer.code) == (413, "request_too_large")
        assert process.memory_info().rss - before < 40 * MIB
    assert service.gauge("facesieve_held_bytes") == 0


def test_unpacking_goes_in_steps_and_loses_nothing() -> None:
    data = bytes(range(256)) * 40_000
    for packed in (gzip.compress(data), gzip.compress(data[:5]) + gzip.compress(data[5:])):
        for cut in (1000, 65536):
            packer = unpacker({"Content-Encoding": "gzip"})
            pieces = [
                piece
                for place in range(0, len(packed), cut)
                for piece in packer.feed(packed[place : place + cut], 4096)
            ]
            packer.finish()
            assert b"".join(pieces) == data and max(map(len, pieces)) <= 4096


def test_a_step_of_a_bomb_takes_no_memory() -> None:
    bomb = gzip.compress(bytes(200 * MIB))
    tracemalloc.start()
    sizes = [len(piece) for piece in unpacker({"Content-Encoding": "gzip"}).feed(bomb, 65536)]
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) == 200 * MIB and held < 2 * MIB


def texts(data: bytes) -> dict[str, tuple[str, bytes]]:
    plain, safe = base64.b64encode(data), base64.urlsafe_b64encode(data)
    url = "data:image/jpeg;base64," + plain.decode()
    return {
        "base64 as text": ("text/plain", plain),
        "base64 under curl's type": ("application/x-www-form-urlencoded", plain),
        "base64 under a picture's type": ("image/jpeg", plain),
        "base64 in lines": ("text/plain", base64.encodebytes(data)),
        "URL-safe and unpadded": ("text/plain", safe.rstrip(b"=")),
        "a data URL": ("text/plain", url.encode()),
        "a data URL with a charset": ("text/plain", b"data:image/jpeg;charset=utf-8;base64," + plain),
        "a byte order mark": ("text/plain", b"\xef\xbb\xbf" + plain),
        "JSON image_base64": ("application/json", json.dumps({"image_base64": plain.decode()}).encode()),
        "JSON image": ("application/json", json.dumps({"image": url}).encode()),
        "JSON under another type": ("text/plain", json.dumps({"image": url}, indent=2).encode()),
        "a string in JSON": ("application/json", json.dumps(url).encode()),
        "JSON with escapes": ("application/json", json.dumps({"image": plain.decode()}).replace("/", "\\/").encode()),
        "JSON with lines": ("application/json", json.dumps({"image": base64.encodebytes(data).decode()}).encode()),
        "bytes under JSON's type": ("application/json", data),
        "bytes under curl's type": ("application/x-www-form-urlencoded", data),
    }


@pytest.mark.parametrize("name", texts(b""))
def test_a_picture_as_text_is_read(service: Any, hopper: Path, name: str) -> None:
    kind, body = texts(hopper.read_bytes())[name]
    [answer] = exchange(service.port, post("/v1/faces", body, f"Content-Type: {kind}"))
    assert (answer.status, answer.json().get("faces_total")) == (200, 1)


def test_a_text_of_any_length_loses_nothing_at_the_edges_of_its_steps() -> None:
    """Escapes, lines and padding may stand where one step ends and the next begins."""
    data = b"\xff\xd8\xff\xe0" + random.Random(0).randbytes(400_000)
    for cut in (0, 1, 2, 3, 5, 7):
        picture = data[: len(data) - cut]
        plain = base64.b64encode(picture).decode()
        written = [
            plain,
            json.dumps("data:image/jpeg;base64," + plain),
            json.dumps({"image": "data:image/jpeg;base64," + plain}).replace("/", "\\/"),
            json.dumps({"image_base64": plain.replace("A", "A\n")}).replace("=", "\\u003d"),
            '{"image":"' + "".join(f"\\u{ord(letter):04x}" for letter in plain) + '"}',
        ]
        for text in written:
            assert asyncio.run(picture_of(text.encode(), TimeSlices(), True)) == picture


@pytest.mark.parametrize(
    ("body", "status", "code", "told"),
    [
        (b'{"image": "https://x.example/a.jpg"}', 400, "bad_base64", "in JSON"),
        (b'{"image": "data:image/png,abc"}', 400, "bad_base64", ";base64,"),
        (b'{"image_base64": "a sentence"}', 400, "bad_base64", "base64"),
        (b'{"image_base64": "\xc3\xa9"}', 400, "bad_base64", "base64"),
        (b'{"image_base64": "AAAAA"}', 400, "bad_base64", "base64"),
        (b'{"image_base64": 5}', 400, "bad_json", "string"),
        (b'{"image_base64": ["/9j/"]}', 400, "bad_json", "string"),
        (b'{"picture": "/9j/"}', 400, "bad_json", "image_base64"),
        (b"{}", 400, "no_image", "image_base64"),
        (b'{"image": null}', 400, "no_image", "image_base64"),
        (b"[1, 2]", 400, "bad_json", "string"),
        (b'{"image": "', 400, "bad_json", "JSON"),
        (b"[" * 100_000, 400, "bad_json", "JSON"),
        (b"image=%2F9j%2F4AAQ", 415, "unsupported_body", "multipart/form-data"),
        (b"https://x.example/a.jpg", 400, "bad_base64", "in JSON"),
        (b"data:image/jpeg;base64", 400, "bad_base64", "base64"),
        (b"/9j/4=AAA", 400, "bad_base64", "base64"),
        (b"hello, world", 415, "not_an_image", ""),
        (b"", 400, "empty", ""),
        (b"   ", 415, "not_an_image", ""),
        (b"AAAA", 415, "not_an_image", ""),
    ],
)
def test_text_that_holds_no_picture_is_refused_and_told_what_to_send(
    service: Any, body: bytes, status: int, code: str, told: str
) -> None:
    [answer] = exchange(service.port, post("/v1/faces", body, "Content-Type: application/json"))
    assert (answer.status, answer.code) == (status, code)
    assert told in answer.json()["error"]["message"]


def test_a_picture_of_the_full_size_may_come_as_text(service: Any, hopper: Path) -> None:
    full = hopper.read_bytes().ljust(10 * MIB, b"\0")
    for body in (base64.b64encode(full), base64.encodebytes(full)):
        [answer] = exchange(service.port, post("/v1/faces", body, "Content-Type: text/plain"))
        assert answer.json()["faces_total"] == 1
    too_large = base64.b64encode(full + b"\0")
    [answer] = exchange(service.port, post("/v1/faces", too_large, "Content-Type: text/plain"))
    assert (answer.status, answer.code) == (413, "too_many_bytes")


def test_a_picture_that_is_no_form_is_told_so_where_forms_are_taken(service: Any, hopper: Path) -> None:
    [answer] = exchange(service.port, post("/upload", hopper.read_bytes(), "Content-Type: image/jpeg"))
    assert (answer.status, answer.code) == (400, "bad_multipart")
    assert "multipart/form-data" in answer.json()["error"]["message"]


def test_an_unknown_encoding_has_no_unpacker() -> None:
    with pytest.raises(ApiError):
        unpacker({"Content-Encoding": "br"})


def test_a_packed_form_may_be_refused_for_its_parts(service: Any) -> None:
    body = gzip.compress(form(*[file_part(b"x")] * 2))
    request = post_form("/upload", body).replace(b"Host: x", b"Host: x\r\nContent-Encoding: gzip")
    [answer] = exchange(service.port, request)
    assert (answer.status, answer.code) == (400, "one_image")
