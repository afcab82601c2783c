"""Objects of a bucket are written to a host that misbehaves in every way that an endpoint may."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import md5
from io import BytesIO
from typing import Any

import pytest
from picture_host import Answer, Host, answered

from facesieve.buckets import ABSENT, BucketUrl, Listed, Stores
from facesieve.errors import Refused
from facesieve.settings import Settings
from facesieve.sources.remote.fetch import Fetcher
from facesieve.sources.remote.objects import Objects


def run(work: Callable[[Objects], Awaitable[Any]], tries: int = 2, **given: Any) -> Any:
    """What a function of the objects below `s3://bucket/data set/` returns, or the sentence of its refusal."""

    async def all_of_it() -> Any:
        fetcher = Fetcher(Settings(**given), stores=Stores(writing=True))
        return await work(Objects(fetcher, BucketUrl.parse("s3://bucket/data set/"), tries))

    try:
        return asyncio.run(all_of_it())
    except Refused as refused:
        return refused.message or refused.code.value


def always(data: bytes) -> Answer:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(data)

    return answer


@pytest.mark.parametrize("data", [b"", b"a", bytes(3 * 2**20 + 1)], ids=len)
def test_an_object_is_sent_whole_with_its_digest_and_type(endpoint: Any, data: bytes) -> None:
    running = endpoint(always(answered(ETag='"v1"')))
    assert run(lambda objects: objects.write("a b.json", BytesIO(data), ABSENT)) == "v1"
    assert running.bodies == [data]
    assert running.asked[0].startswith("/bucket/data%20set/a%20b.json?")
    head = running.heads[0].lower()
    assert head.startswith("put ") and "if-none-match: *" in head and "content-type: application/json" in head
    assert f"content-md5: {b64encode(md5(data).digest()).decode()}" in running.heads[0].replace("MD5", "md5").replace(
        "Content-md5", "content-md5"
    )


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("412 Precondition Failed", "PreconditionFailed", None),
        ("412 Precondition Failed", "", None),
        ("409 Conflict", "ConditionalRequestConflict", None),
        ("404 Not Found", "NoSuchKey", None),
        ("404 Not Found", "NoSuchBucket", "The host answered with status 404 (Not Found, NoSuchBucket)."),
        ("409 Conflict", "Busy", "The host answered with status 409 (Conflict, Busy)."),
        ("403 Forbidden", "AccessDenied", "The host answered with status 403 (Forbidden, AccessDenied)."),
    ],
)
def test_a_condition_that_is_not_met_is_told_from_a_refusal(
    endpoint: Any, status: str, code: str, expected: str | None
) -> None:
    endpoint(always(answered(f"<Error><Code>{code}</Code></Error>".encode(), status)))
    assert run(lambda objects: objects.write("a", b"data", "v1")) == expected


def test_a_store_that_knows_no_conditions_is_asked_without_one(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        conditional = "if-match" in running.heads[-1].lower()
        writer.write(answered(status="501 Not Implemented") if conditional else answered(ETag='"v2"'))

    running = endpoint(answer)
    assert run(lambda objects: objects.write("a", b"data", "v1")) == "v2"
    assert running.bodies == [b"data", b"data"]


def test_a_busy_store_and_a_lost_connection_are_tried_again_with_the_whole_body(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        answers = [answered(status="503 Slow Down"), b"", answered(ETag='"v3"')]
        writer.write(answers[len(running.asked) - 1])

    running = endpoint(answer)
    assert run(lambda objects: objects.write("a", BytesIO(b"data")), tries=3) == "v3"
    assert running.bodies == [b"data"] * 3


def test_a_store_that_answers_before_it_has_the_body_is_heard(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(b"<Error><Code>AccessDenied</Code></Error>", "403 Forbidden"))
        await writer.drain()
        await asyncio.sleep(1)  # it does not read, and closes only now

    running = endpoint(answer)
    running.patient = False
    said = run(lambda objects: objects.write("a", BytesIO(bytes(2**17)), ABSENT))
    assert said == "The host answered with status 403 (Forbidden, AccessDenied)."


def test_a_store_that_takes_the_body_and_never_answers_costs_a_bounded_time(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        await asyncio.sleep(3600)

    endpoint(answer)
    assert run(lambda objects: objects.write("a", b"data"), tries=1, fetch_timeout=0.5) == "fetch_timeout"


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (Listed("a", 4, "v1", "v1"), None),
        (Listed("a", 4, "v0", "v0"), "It changed while it was copied."),
        (Listed("a", 5, "v1", "v1"), "It changed while it was copied."),
        (Listed("a", 3, "v1", "v1"), "too_many_bytes"),
    ],
)
def test_only_the_object_that_was_listed_is_read(endpoint: Any, listed: Listed, said: str | None) -> None:
    endpoint(always(answered(b"data", ETag='"v1"')))
    stream = BytesIO(b"what an earlier try left")
    assert run(lambda objects: objects.download(listed, stream)) == said
    assert said is not None or stream.getvalue() == b"data"


def test_the_age_of_an_object_is_told_by_the_clock_of_the_store(endpoint: Any) -> None:
    dates = {"Date": "Mon, 02 Jan 2040 00:01:40 GMT", "Last_Modified": "Mon, 02 Jan 2040 00:00:10 GMT"}
    endpoint(always(answered(b"{}", ETag='"v1"', **dates)))
    content = run(lambda objects: objects.read("a", 10))
    assert (content.data, content.version, content.age) == (b"{}", "v1", 90)
    endpoint(always(answered(b"{}")))
    assert run(lambda objects: objects.read("a", 10)).age == 0


def test_pages_that_repeat_end_the_list_with_one_sentence(endpoint: Any) -> None:
    async def all_keys(found: AsyncIterator[Listed]) -> list[str]:
        return [one.key async for one in found]

    body = b"<ListBucketResult><Contents><Key>data set/x</Key><Size>1</Size></Contents>%s</ListBucketResult>"
    more = b"<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>"
    endpoint(always(answered(body % more)))
    assert run(lambda objects: all_keys(objects.listed())) == "The list of objects does not end."
    endpoint(always(answered(body % b"")))
    assert run(lambda objects: all_keys(objects.listed())) == ["x"]
