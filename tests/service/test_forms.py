"""Forms as clients send them: every one is taken or refused with a code, and none is a 500."""

from __future__ import annotations

import base64
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from raw import exchange, file_part, form, post, post_form

from facesieve.service.api_errors import ApiError
from facesieve.service.form import Form

HEADERS = {"Content-Type": "multipart/form-data; boundary=BB"}


def disposition(rest: bytes) -> bytes:
    return b"Content-Disposition: form-data; " + rest


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b'name="image"; filename="caf\xe9.jpg"', id="latin-1"),
        pytest.param('name="image"; filename="照片.jpg"'.encode("gbk"), id="GBK"),
        pytest.param('name="image"; filename="照片.jpg"'.encode(), id="UTF-8"),
        pytest.param(b'name="image"; filename="\x81\xff\xfe.jpg"', id="no encoding at all"),
        pytest.param(b"name=\"image\"; filename*=idna''%ff", id="charset idna"),
        pytest.param(b"name=\"image\"; filename*=punycode''%ff", id="charset punycode"),
        pytest.param(b"name=\"image\"; filename*=nothing''%zz", id="charset that is none"),
        pytest.param(b"name=\"image\"; filename*=utf-8''%e7%85%a7.jpg; filename=a.jpg", id="both file names"),
        pytest.param(b'name="image"; filename*' + b"9" * 4400 + b'="a"', id="4,400 digits"),
        pytest.param(b'name="image"; filename*0="a"; filename*1=".jpg"', id="file name in pieces"),
        pytest.param(b'filename="a; name=other.jpg"; name="image"', id="a name in the file name"),
        pytest.param(b'filename="a\\"; name=\\"other.jpg"; name="image"', id="escaped quotes"),
        pytest.param(b"name=image; filename=a.jpg", id="unquoted"),
        pytest.param(b'NAME="image"; FileName="a.jpg"', id="upper case"),
        pytest.param(b'name="image"; filename="a.jpg"; x=' + b"y" * 5000, id="long option"),
        pytest.param(b'name="image"; filename="unclosed.jpg', id="unclosed quote"),
        pytest.param(b'name="image" ; filename = "a.jpg"', id="spaces"),
    ],
)
def test_a_picture_is_read_whatever_its_file_name_is(service: Any, hopper: Path, rest: bytes) -> None:
    body = form((disposition(rest) + b"\r\nContent-Type: image/jpeg", hopper.read_bytes()))
    [answer] = exchange(service.port, post_form("/upload", body))
    assert (answer.status, answer.json().get("face_total")) == (200, 1)


@pytest.mark.parametrize(
    ("said", "boundary"),
    [
        ("BB", b"BB"),
        ('"BB"', b"BB"),
        ('"B B"', b"B B"),
        ("----=_Part_1:2/3", b"----=_Part_1:2/3"),
        ('"a\\"b"', b'a\\"b'),
        ("caf\xe9", b"caf\xe9"),
        ("'()+_,-./:=?", b"'()+_,-./:=?"),
        ("BB; charset=utf-8", b"BB"),
        ("x" * 200, b"x" * 200),
    ],
)
def test_boundaries_are_taken_as_they_are_said(service: Any, hopper: Path, said: str, boundary: bytes) -> None:
    body = form(file_part(hopper.read_bytes()), boundary=boundary)
    [answer] = exchange(service.port, post_form("/upload", body, said))
    assert (answer.status, answer.json().get("face_total")) == (200, 1)


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 201,
        "multipart/form-data; boundary*=utf-8''BB",
        "multipart/mixed; boundary=BB",
        "multipart/; boundary=BB",
        "text/plain; boundary=BB",
        "",
    ],
)
def test_a_form_without_a_usable_boundary_is_400(service: Any, hopper: Path, kind: str) -> None:
    [answer] = exchange(service.port, post("/upload", form(file_part(hopper.read_bytes())), f"Content-Type: {kind}"))
    assert (answer.status, answer.code) == (400, "bad_multipart")


PART = b'Content-Disposition: form-data; name="image"; filename="a.jpg"'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no form at all", id="no form"),
        pytest.param(b"--BB\n" + PART + b"\n\nx\n--BB--\n", id="LF alone"),
        pytest.param(b"--BB\r\n" + PART + b"\r\n\r\nx\r\n", id="no last boundary"),
        pytest.param(b"--BB\r\n" + PART + b"\r\n\r\nx\r\n--BB-", id="cut off in the last boundary"),
        pytest.param(b"--BB\r\n" + PART, id="cut off in a header"),
        pytest.param(b"hello\r\n--BB\r\n" + PART + b"\r\n\r\nx\r\n--BB--\r\n", id="preamble"),
        pytest.param(form((b"Content-Type: image/jpeg", b"x")), id="no disposition"),
        pytest.param(form((b'Content-Disposition: attachment; name="image"', b"x")), id="attachment"),
        pytest.param(form((b'Content-Disposition: form-data; filename="a.jpg"', b"x")), id="no name"),
        pytest.param(form((b"no colon", b"x")), id="no colon"),
        pytest.param(form((PART + b"\r\n folded: yes", b"x")), id="folded"),
        pytest.param(form((PART + b"\r\nA: " + b"a" * 9000, b"x")), id="a header of 9 kB"),
        pytest.param(form((PART + b"\r\nA: b" * 20, b"x")), id="twenty headers"),
        pytest.param(form((PART + b"\r\nContent-Transfer-Encoding: quoted-printable", b"x")), id="quoted-printable"),
        pytest.param(b"--BB\r\n" * 10_000, id="bare boundaries"),
    ],
)
def test_a_malformed_form_is_400_with_a_sentence(service: Any, body: bytes) -> None:
    for path in ("/upload", "/uploads", "/v1/faces"):
        [answer] = exchange(service.port, post_form(path, body))
        assert (answer.status, answer.code) == (400, "bad_multipart")
    assert not service.events("tornado") and not service.events("failure")
    assert service.gauge("facesieve_held_bytes") == 0


@pytest.mark.parametrize("after", [b"", b"\r\n", b"epilogue\r\n" * 1000])
def test_what_follows_the_last_boundary_is_dropped(service: Any, hopper: Path, after: bytes) -> None:
    [answer] = exchange(service.port, post_form("/upload", b"\r\n" + form(file_part(hopper.read_bytes())) + after))
    assert answer.json()["face_total"] == 1


def test_a_field_that_is_text_counts_as_a_picture(service: Any, hopper: Path) -> None:
    data = hopper.read_bytes()
    text = base64.b64encode(data)
    named, plain = file_part(b"")[0], b'Content-Disposition: form-data; name="image"'
    parts = [
        (plain, text),
        (plain, b"data:image/jpeg;base64," + text),
        (plain, base64.encodebytes(data)),
        (plain, data),
        (named + b"\r\nContent-Transfer-Encoding: Base64", text),
        (named + b"\r\nContent-Transfer-Encoding: binary", data),
    ]
    [answer] = exchange(service.port, post_form("/uploads", form(*parts)))
    assert [entry.get("face_total") for entry in answer.json()] == [1] * 6
    for part in parts:
        [answer] = exchange(service.port, post_form("/v1/faces", form(part)))
        assert answer.json()["faces_total"] == 1


def test_text_that_is_no_picture_is_an_entry_of_its_own(service: Any, hopper: Path) -> None:
    plain = b'Content-Disposition: form-data; name="image"'
    parts = [
        (plain, b"a sentence, no base64"),
        (plain, b"AAA\nA=AA"),
        (plain, b"data:image/png,abc"),
        file_part(hopper.read_bytes()),
    ]
    [answer] = exchange(service.port, post_form("/uploads", form(*parts)))
    entries = answer.json()
    assert [entry["error"]["code"] for entry in entries[:3]] == ["not_an_image", "bad_base64", "bad_base64"]
    assert entries[3]["face_total"] == 1


def test_other_fields_and_an_input_where_no_file_was_chosen_are_passed_over(service: Any, hopper: Path) -> None:
    others = [(disposition(b'name="%d"' % number), b"v") for number in range(90)]
    chosen = (disposition(b'name="image"; filename=""') + b"\r\nContent-Type: application/octet-stream", b"")
    [answer] = exchange(service.port, post_form("/upload", form(*others, chosen, file_part(hopper.read_bytes()))))
    assert answer.json()["face_total"] == 1
    [answer] = exchange(service.port, post_form("/upload", form(*others, chosen)))
    assert (answer.status, answer.code) == (400, "no_image")


def test_a_form_in_a_form_is_no_picture(service: Any) -> None:
    inner = form((b'Content-Disposition: file; filename="a.jpg"', b"x"), boundary=b"CC")
    body = form((PART + b"\r\nContent-Type: multipart/mixed; boundary=CC", inner))
    [answer] = exchange(service.port, post_form("/upload", body))
    assert (answer.status, answer.code) == (415, "not_an_image")


def test_too_many_parts_are_refused_while_they_arrive(service: Any) -> None:
    many = form(*[(disposition(b'name="a"'), b"")] * 300)
    [answer] = exchange(service.port, post_form("/uploads", many))
    assert (answer.status, answer.code) == (413, "too_many_images")


@pytest.mark.parametrize("step", [1, 7, 16384])
def test_a_form_is_the_same_however_it_is_cut(step: int) -> None:
    contents = [b"", b"\r\n--B", b"--BB--", b"\r\n--BBx\r\n", b"\r" * 50, bytes(range(256)) * 20]
    body = form(*map(file_part, contents), (disposition(b'name="other"'), b"v"))
    reader = Form(HEADERS, 10, 10_000)
    held = sum(reader.feed(body[place : place + step]) for place in range(0, len(body), step))
    assert [part.content for part in reader.pictures()] == contents
    assert held == sum(map(len, contents))


def test_of_a_picture_that_is_too_large_no_more_is_held_than_shows_it() -> None:
    reader = Form(HEADERS, 2, 1000)
    body = form(file_part(b"a" * 5000), file_part(b"b" * 1000))
    assert sum(reader.feed(body[place : place + 512]) for place in range(0, len(body), 512)) == 2001
    assert [len(part.content) for part in reader.pictures()] == [1001, 1000]


ATTACKS = {
    "bare boundaries": b"--BB\r\n" * 600_000,
    "empty parts": b"--BB\r\n\r\n\r\n" * 400_000,
    "headers without end": b"--BB\r\n" + b"A" * 4_000_000,
    "199 parts with headers of 9 kB": form(*[(disposition(b'name="a"' + b'; x="y"' * 1300), b"v")] * 199),
    "199 parts with headers of 7 kB": form(*[(disposition(b'name="a"' + b'; x="y"' * 1000), b"v")] * 199),
    "almost boundaries": b"--BB\r\n" + PART + b"\r\n\r\n" + b"\r\n--BBx" * 500_000,
    "boundaries with padding": b"--BB\r\n" + PART + b"\r\n\r\nx\r\n--BB" + b" " * 4_000_000,
    "line feeds before": b"\r\n" * 2_000_000,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_step_of_reading_a_form_takes_long_or_much_memory(name: str) -> None:
    body, slowest, place = ATTACKS[name], 0.0, 0
    reader = Form(HEADERS, 100, 10_000_000)
    tracemalloc.start()
    try:
        for place in range(0, min(len(body), 500_000), Form.step):
            started = time.process_time()
            reader.feed(body[place : place + Form.step])
            slowest = max(slowest, time.process_time() - started)
    except ApiError as fault:
        assert fault.code == "too_many_images"
    finally:
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert slowest < 0.25  # milliseconds, but for tracing and other work on this machine
    assert held < 2 * place + 1_000_000


def test_a_hundred_pictures_in_one_form_are_all_found() -> None:
    contents = [bytes([number]) * 60_000 for number in range(100)]
    body = form(*map(file_part, contents))
    reader = Form(HEADERS, 100, 10_000_000)
    for place in range(0, len(body), Form.step):
        reader.feed(body[place : place + Form.step])
    assert [part.content for part in reader.pictures()] == contents
