"""URLs as lists hold them, and what is requested."""

from __future__ import annotations

import pytest

from facesieve.errors import Refused
from facesieve.sources.remote.url import is_url, redirect_url, request_url


@pytest.mark.parametrize(
    ("written", "requested"),
    [
        ("https://example.org/a.jpg", "https://example.org/a.jpg"),
        ("HTTPS://EXAMPLE.org/A.jpg", "https://example.org/A.jpg"),
        ("https://example.org", "https://example.org/"),
        ("https://example.org//a//b.jpg", "https://example.org//a//b.jpg"),
        ("https://example.org/a b.jpg", "https://example.org/a%20b.jpg"),
        ("https://example.org/a%20b.jpg", "https://example.org/a%20b.jpg"),
        ("https://example.org/é😀.jpg?q=ü#part", "https://example.org/%C3%A9%F0%9F%98%80.jpg?q=%C3%BC"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("http://example.org:8080/a?b=c&d=e", "http://example.org:8080/a?b=c&d=e"),
        ("http://[2606:2800::1]:81/a", "http://[2606:2800::1]:81/a"),
        ("https://example.org/x\udcff", "https://example.org/x%FF"),
    ],
)
def test_a_url_is_requested_as_it_is_written(written: str, requested: str) -> None:
    assert request_url(written) == requested


@pytest.mark.parametrize(
    "written",
    [
        *("https://", "https:///a.jpg", "https://user:word@example.org/", "https://user@example.org/", "ftp://a/b"),
        *("file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "data://x", "https://exa mple.org/", "https://a:b/"),
        *("https://example.org:99999/", "https://[::1/", "https://a\tb.example/", "https://a.example/b\nc"),
        *(
            "https://a\u200bb.example/",
            f"https://{'a' * 64}.example/",
            "https://example.org/" + "a" * 8200,
            "https://[v1.x]/",
        ),
        *("https://exa\x00mple.org/", "https://..example.org/"),
    ],
)
def test_what_cannot_be_requested_is_refused(written: str) -> None:
    with pytest.raises(Refused) as refused:
        request_url(written)
    assert refused.value.code == "bad_url" and refused.value.message


def test_only_chosen_schemes_are_requested() -> None:
    with pytest.raises(Refused) as refused:
        request_url("http://example.org/", ["https"])
    assert refused.value.message == "URLs that begin with http:// are not fetched."


def test_redirects_may_be_relative_and_must_be_urls_too() -> None:
    assert redirect_url("https://a.example/b/c", "../d e", ["https"]) == "https://a.example/d%20e"
    assert redirect_url("https://a.example/b/c", "//other.example/d", ["https"]) == "https://other.example/d"
    for location in ("file:///etc/passwd", "http://a.example/", "https://user:word@a.example/", "https://[::1"):
        with pytest.raises(Refused):
            redirect_url("https://a.example/b/c", location, ["https"])


def test_paths_are_no_urls() -> None:
    assert is_url("https://a") and is_url("S3://bucket/key")
    assert not any(map(is_url, ("C://photos/a.jpg", "a/b.jpg", "//server/share", "/https://a", "", "https:/a", "a:b")))
