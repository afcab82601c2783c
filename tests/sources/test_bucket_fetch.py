"""Objects are fetched and listed from a host that misbehaves in every way that an endpoint of a bucket may."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from picture_host import Answer, Host, answered

from facesieve.errors import Refused, UsageError
from facesieve.records import Source
from facesieve.settings import Settings
from facesieve.sources import SourceOptions, find_sources
from facesieve.sources.remote.fetch import Fetcher
from facesieve.sources.remote.prefetch import UrlPrefetch
from facesieve.sources.remote.remote import Remote, from_url

pytestmark = pytest.mark.usefixtures("credentials")

HUNG = 3600  # seconds


def settings(**given: Any) -> Settings:
    return Settings(**({"fetch_tries": 1, "fetch_timeout": 1.0, "fetch_connect_timeout": 1.0} | given))


def content(source: Source) -> str:
    assert source.open
    try:
        with source.open() as stream:
            return stream.read().decode()
    except Refused as refused:
        return f"{refused.code.value}: {refused.message or refused.code.sentence}"


def fetched(url: str, **given: Any) -> str:
    [source] = UrlPrefetch(settings(**given))([from_url(url, "", settings(**given))])
    return content(source)


def listing_error(url: str, **given: Any) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        find_sources([url], settings(**given))
    return caught.value.code, caught.value.message


def page(*keys: str, after: str = "") -> bytes:
    items = "".join(f"<Contents><Key>{key}</Key><Size>1</Size><ETag>e</ETag></Contents>" for key in keys)
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{after}</NextContinuationToken>" if after else ""
    return answered(f"<ListBucketResult>{items}{more}</ListBucketResult>".encode())


async def echo(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(answered(unquote(urlsplit(path).path).encode()))


async def silent(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
    await asyncio.sleep(HUNG)


async def trickle(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"<")
        await writer.drain()
        await asyncio.sleep(0.2)


async def endless(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"<" * 65536)
        await writer.drain()


@pytest.mark.parametrize(
    "key",
    ["a//b.jpg", "/lead.jpg", "../up.jpg", "a/./b", "100%.jpg", "%2F", "a b+c", "n\nl", "😀", "a?b#c", "b\\s", "f/"],
)
def test_every_key_is_asked_for_exactly(endpoint: Any, key: str) -> None:
    endpoint(echo)
    assert fetched(f"s3://bucket/{key}") == f"/bucket/{key}"


def test_an_object_needs_no_leave_for_a_private_address_and_its_robots_header_does_not_matter(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(b"data", X_Robots_Tag="noai"))

    endpoint(answer)
    assert fetched("s3://bucket/key.jpg") == "data"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (silent, "fetch_timeout: The host took longer than fetch_connect_timeout or fetch_timeout."),
        (trickle, "fetch_timeout: The host took longer than fetch_connect_timeout or fetch_timeout."),
        (endless, "too_many_bytes: The file is larger than max_file_bytes."),
    ],
)
def test_an_endpoint_that_does_not_come_to_an_end_costs_one_row_and_little_time(
    endpoint: Any, answer: Answer, expected: str
) -> None:
    endpoint(answer)
    begun = time.monotonic()
    assert fetched("s3://bucket/key.jpg", max_file_bytes=10**6) == expected
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("answer", [silent, trickle])
def test_a_list_that_does_not_come_is_one_sentence(endpoint: Any, answer: Answer) -> None:
    endpoint(answer)
    sentence = "The host took longer than fetch_connect_timeout or fetch_timeout."
    assert listing_error("s3://bucket/people/") == (
        "unreadable_source",
        f"s3://bucket/people/ cannot be read: {sentence}",
    )


def test_a_list_without_end_is_one_sentence(endpoint: Any) -> None:
    endpoint(endless)
    assert listing_error("s3://bucket/people/", fetch_timeout=60)[0] == "unreadable_source"


def test_pages_that_repeat_are_one_sentence(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(page("people/a.jpg", after="again"))

    running = endpoint(answer)
    assert listing_error("s3://bucket/people/") == (
        "unreadable_source",
        "s3://bucket/people/ cannot be read: The list of objects does not end.",
    )
    assert len(running.asked) == 2


def test_all_pages_are_read_and_keys_outside_the_folder_are_not_taken(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        after = parse_qs(urlsplit(path).query).get("continuation-token", ["0"])[0]
        pages = {
            "0": page("p/b.jpg", after="1"),
            "1": page("p/a.jpg", "elsewhere.jpg", after="2"),
            "2": page("p/c.jpg"),
        }
        writer.write(pages[after])

    endpoint(answer)
    found = find_sources(["s3://bucket/p/"], settings())
    assert [source.name for source in found.sources] == [f"s3://bucket/p/{name}.jpg" for name in "abc"]
    assert [source.fingerprint for source in found.sources] == ["1-e"] * 3


def test_odd_keys_are_sources_of_their_own_and_make_no_labels(endpoint: Any) -> None:
    keys = ["p//a.jpg", "p/ada/../a.jpg", "p/ada//b.jpg", "p/./c.jpg", "p/a\nb.jpg", "p/", "p/ada/"]

    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(page(*keys).replace(b"<Key>p/</Key><Size>1", b"<Key>p/</Key><Size>0"))

    endpoint(answer)
    found = find_sources(["s3://bucket/p/"], settings(), SourceOptions(label_from="folder"))
    assert {source.identity.decode(): source.label for source in found.sources} == {
        "s3://bucket/p//a.jpg": "",
        "s3://bucket/p/./c.jpg": "",
        "s3://bucket/p/a\nb.jpg": "",
        "s3://bucket/p/ada/": "",
        "s3://bucket/p/ada/../a.jpg": "ada",
        "s3://bucket/p/ada//b.jpg": "ada",
    }
    assert "s3://bucket/p/a\\nb.jpg" in {source.name for source in found.sources}


def test_a_busy_store_is_asked_again(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        busy = len(running.asked) < 3
        writer.write(answered(status="503 Slow Down") if busy else answered(b"data"))

    running = endpoint(answer)
    assert fetched("s3://bucket/key.jpg", fetch_tries=3) == "data"
    assert len(running.asked) == 3


def test_the_reason_of_a_store_is_in_the_message(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(b"<Error><Code>RequestTimeTooSkewed</Code></Error>", "403 Forbidden"))

    endpoint(answer)
    said = "The host answered with status 403 (Forbidden, RequestTimeTooSkewed)."
    assert fetched("s3://bucket/key.jpg") == f"fetch_failed: {said}"
    assert listing_error("s3://bucket/p/") == ("unreadable_source", f"s3://bucket/p/ cannot be read: {said}")


def test_a_store_that_names_another_region_is_asked_there(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        right = "%2Feu-west-1%2F" in path
        moved = answered(status="301 Moved Permanently", x_amz_bucket_region="eu-west-1")
        writer.write(answered(b"data") if right else moved)

    running = endpoint(answer)
    assert fetched("s3://bucket/key.jpg") == "data"
    assert len(running.asked) == 2


def test_many_objects_of_one_host_are_fetched_at_a_time_and_come_in_order(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        while running.most < 32:  # nobody is answered until so many ask at the same time
            await asyncio.sleep(0.01)
        await echo(running, writer, path)

    running = endpoint(answer)
    chosen = settings(fetch_timeout=30, fetch_connections=64, fetch_connections_per_host=2)
    sources = [Source("", open=Remote(f"s3://bucket/{number}", chosen)) for number in range(200)]
    assert [content(source) for source in UrlPrefetch(chosen)(sources)] == [f"/bucket/{n}" for n in range(200)]
    assert 32 <= running.most <= 64


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://bucket", "The URL names a bucket and no object in it."),
        ("s3://bucket/", "The URL names a bucket and no object in it."),
        ("s3:///key.jpg", "The URL names no bucket."),
    ],
)
def test_a_listed_url_without_a_key_is_refused(url: str, message: str) -> None:
    assert content(from_url(url, "", settings())) == f"bad_url: {message}"


def test_kinds_of_urls_may_be_forbidden(endpoint: Any) -> None:
    running = endpoint(echo)
    message = "URLs that begin with s3:// are not fetched."
    assert content(from_url("s3://b/k", "", settings(fetch_schemes=["https"]))) == f"bad_url: {message}"
    assert message in listing_error("s3://b/", fetch_schemes=["https"])[1]
    assert running.connections == 0


def test_urls_of_strangers_use_no_credentials_of_this_machine(endpoint: Any) -> None:
    """Queue workers fetch with a fetcher that has no stores."""
    running = endpoint(echo)

    async def run() -> None:
        await Fetcher(settings()).fetch("s3://bucket/key.jpg")

    with pytest.raises(Refused) as caught:
        asyncio.run(run())
    assert caught.value.code.value == "bad_url"
    assert running.connections == 0


def test_a_redirect_does_not_lead_into_a_bucket(endpoint: Any) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(status="302 Found", Location="s3://bucket/secret.jpg"))

    running = endpoint(answer)
    allowed = {"fetch_allow_addresses": ["127.0.0.0/8"]}
    assert fetched(running.url("/a"), **allowed) == "bad_url: URLs that begin with s3:// are not fetched."
    assert running.asked == ["/a"]
