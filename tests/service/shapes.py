"""Builds requests that are almost right: random requests with a few changed bytes."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from random import Random

from raw import TOKEN_LINE, file_part, form

_METHODS = [
    b"GET",
    b"POST",
    b"POST",
    b"POST",
    b"PUT",
    b"OPTIONS",
    b"get",
    b"BREW",
    b"",
    b"P\xffST",
    b"CONNECT",
    b"TRACE",
]
_TARGETS = [
    *(b"/livez", b"/readyz", b"/upload", b"/uploads", b"/v1/faces", b"/v1/sieve", b"/openapi.json", b"/nowhere"),
    *(b"/upload/", b"/v1/faces?crops=none", b"/v1/faces?crops=%ff", b"/v1/faces?max_yaw=1&max_yaw=2", b"*", b"/%"),
    *(b"http://h/livez", b"//livez", b"/livez#a", b"/a b", b"/\xe9", b"/..%2f", b"", b"/v1/faces?" + b"a=b&" * 300),
]
_VERSIONS = [b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/11", b"http/1.1", b""]
_LINES = [
    *(b"Host: y", b"Host:", b"Host: a b", b"Content-Length: 5", b"Content-Length: -5", b"Content-Length: +5"),
    *(
        b"Content-Length: " + b"9" * 5000,
        b"Content-Length: 5, 5",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: x",
    ),
    *(b"Expect: 100-continue", b"Expect: x", b"Connection: keep-alive", b"Connection: close", b"Upgrade: websocket"),
    *(b"Content-Encoding: gzip", b"Content-Encoding: deflate", b"Content-Encoding: br", b"Content-Encoding: \xff"),
    *(b"Content-Type: application/json", b"Content-Type: text/plain", b"Content-Type: multipart/form-data"),
    *(
        b"Content-Type: multipart/form-data; boundary=BB",
        b'Content-Type: multipart/form-data; boundary="',
        b"Content-Type: \xe9",
    ),
    *(b"Origin: null", b"Access-Control-Request-Method: POST", b"X-Request-ID: <x>", b"X-Forwarded-For: 1.1.1.1"),
    *(b"Authorization: \xff\xfe", b"Authorization: Bearer", b"Cookie: " + b"a" * 9000, b"A: " + b"a" * 40_000),
    *(
        b" folded",
        b"no colon",
        b": nothing",
        b"A\0: b",
        b"A: \0",
        b"A" * 5000 + b": b",
        b"Range: bytes=0-",
        b"TE: trailers",
    ),
]
_DISPOSITIONS = [
    *(
        b'name="image"; filename="a.jpg"',
        b'name="image"',
        b'name="caf\xe9"',
        b"name=image; filename*=idna''%ff",
        b"name=",
    ),
    *(
        b'filename="a"',
        b'name="image"; filename="' + b"a" * 9000 + b'"',
        b'name="image"\r\nContent-Transfer-Encoding: base64',
    ),
    *(b'name="image"\r\nContent-Length: -1', b'name="image"\r\n folded', b'name="image"\r\n\xff: \xff', b'name="\\"'),
]


def shape(random: Random, picture: bytes) -> bytes:
    """The bytes of a random request, often slightly malformed."""
    body = _body(random, picture)
    lines = [b"Host: x"] * (random.random() < 0.9) + [random.choice(_LINES) for _ in range(random.choice([0, 0, 1, 2]))]
    lines += [TOKEN_LINE.strip()] * (random.random() < 0.9)
    if b"form-data" in body and random.random() < 0.9:
        lines.append(b"Content-Type: multipart/form-data; boundary=BB")
    if random.random() < 0.2:
        name, pack = random.choice([(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
        lines.append(b"Content-Encoding: " + name)
        body = pack(body)
    framing = random.random()
    if framing < 0.6:
        lines.append(b"Content-Length: %d" % max(0, len(body) + random.choice([0] * 9 + [1, -1, 1000, -7])))
    elif framing < 0.9:
        lines.append(b"Transfer-Encoding: chunked")
        body = _chunked(random, body)
    random.shuffle(lines)
    route = random.choice([b"/upload", b"/uploads", b"/v1/faces", b"/v1/sieve"])
    start = b"POST %b HTTP/1.1" % route
    if random.random() < 0.4:
        start = b" ".join([random.choice(_METHODS), random.choice(_TARGETS), random.choice(_VERSIONS)])
    whole = b"\r\n".join([start, *lines, b"", b""]) + body
    for _ in range(random.choice([0, 0, 0, 1, 1, 4])):
        whole = _changed(random, whole)
    return whole


def _body(random: Random, picture: bytes) -> bytes:
    kinds = [
        lambda: b"",
        lambda: picture,
        lambda: random.randbytes(random.randrange(200)),
        lambda: base64.b64encode(picture[: random.randrange(1, 300)]),
        lambda: json.dumps(
            {random.choice(["image", "image_base64", "x"]): random.choice(["data:,", "AAAA", 1, "\ud800"])}
        ),
        lambda: json.dumps({"measures": [{random.choice(["blur", "x"]): random.choice([1, None, "a", 1e400])}]}),
        lambda: b"image=abc",
        lambda: form(
            *[(b"Content-Disposition: form-data; " + random.choice(_DISPOSITIONS), picture[:99]) for _ in "ab"]
        ),
        lambda: form(*[file_part(b"x")] * random.choice([0, 1, 101, 250])),
    ]
    made = random.choice(kinds)()
    return made.encode("utf-8", "surrogatepass") if isinstance(made, str) else made


def _chunked(random: Random, body: bytes) -> bytes:
    size, written = random.choice([1, 7, 1000, 70_000]), b""
    for place in range(0, min(len(body), 2000 * size), size):
        piece = body[place : place + size]
        written += b"%x%b\r\n%b\r\n" % (len(piece), random.choice([b"", b"", b";a=b", b" ", b"\t;"]), piece)
    return written + random.choice(
        [b"0\r\n\r\n"] * 5 + [b"0\r\nA: b\r\n\r\n", b"0\r\n", b"zz\r\n", b"", b"0\r\nx\r\n\r\n"]
    )


def _changed(random: Random, whole: bytes) -> bytes:
    place = random.randrange(len(whole) + 1) if random.random() < 0.3 else random.randrange(min(len(whole), 400) + 1)
    size = random.choice([1, 1, 2, 10, 100])
    changes = [
        lambda: whole[:place] + whole[place + size :],
        lambda: whole[:place] + random.randbytes(size) + whole[place:],
        lambda: whole[:place] + whole[place : place + size] * 2 + whole[place + size :],
        lambda: whole[:place] + random.choice([b"\r", b"\n", b"\r\n", b"\0", b" ", b":", b"\r\n\r\n"]) + whole[place:],
        lambda: whole.replace(b"\r\n", b"\n", random.randrange(1, 5)),
        lambda: whole[:place],
    ]
    return random.choice(changes)()
