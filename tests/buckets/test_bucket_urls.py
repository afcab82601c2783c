"""URLs of buckets keep every character of a key."""

from __future__ import annotations

import pytest

from facesieve.buckets import BucketUrl, is_bucket_url
from facesieve.errors import Refused

ODD_KEYS = [
    "plain.jpg",
    "a//b.jpg",
    "/leading.jpg",
    "../up.jpg",
    "a/./b.jpg",
    "100%.jpg",
    "%20.jpg",
    "a b+c.jpg",
    "new\nline.jpg",
    "😀.jpg",
    "what?is#this.jpg",
    "back\\slash.jpg",
    "folder/",
]


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
@pytest.mark.parametrize("key", ["", *ODD_KEYS])
def test_the_key_is_everything_behind_the_bucket(scheme: str, key: str) -> None:
    text = f"{scheme}://my-bucket/{key}"
    assert is_bucket_url(text)
    url = BucketUrl.parse(text)
    assert (url.scheme, url.bucket, url.key) == (scheme, "my-bucket", key)
    assert str(url) == text


def test_a_bucket_and_a_key_that_ends_in_a_slash_are_folders() -> None:
    folders = ["s3://b", "s3://b/", "s3://b/people/", "s3://b/people//"]
    assert [BucketUrl.parse(text).is_folder for text in [*folders, "s3://b/people"]] == [True] * 4 + [False]


@pytest.mark.parametrize("text", ["s3:/b/k", "s3", "https://s3://b", "s3a://b/k", "C:\\s3://b", ""])
def test_other_texts_are_no_urls_of_buckets(text: str) -> None:
    assert not is_bucket_url(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3://", "The URL names no bucket."),
        ("s3:///key.jpg", "The URL names no bucket."),
        ("s3://a b/key.jpg", "The URL names no bucket."),
        ("s3://key:secret@bucket/key.jpg", "The URL names no bucket."),
        (f"s3://b/{'k' * 1025}", "The key in the URL is longer than 1,024 characters."),
        ("s3://b/\0.jpg", "The key in the URL is not valid Unicode."),
        ("s3://b/\udcff.jpg", "The key in the URL is not valid Unicode."),
    ],
)
def test_a_url_without_a_bucket_or_with_an_impossible_key_is_refused(text: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        BucketUrl.parse(text)
    assert (caught.value.code.value, caught.value.message) == ("bad_url", message)
