"""URLs of buckets: `s3://bucket/key`, `gs://bucket/key`, `az://container/key`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from facesieve.errors import Refused
from facesieve.records import RefusalCode

SCHEMES = ("s3", "gs", "az")
_LONGEST_KEY = 1024  # characters; no store has longer keys
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{0,254}")  # `$web` and `$root` are containers of Azure


@dataclass(frozen=True, slots=True)
class BucketUrl:
    """A bucket, and an object in it or the beginning of keys.

    The key is everything after `s3://bucket/`, character by character: nothing in it is decoded, joined or cut off, so
    `%`, `?`, `#`, `//` and `..` are parts of a key. It is "" for the bucket itself.
    """

    scheme: str
    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> BucketUrl:
        """The parts of a URL. Raises Refused `bad_url`."""
        scheme, _, rest = text.partition("://")
        bucket, _, key = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise _bad("The URL names no bucket.")
        if len(key) > _LONGEST_KEY:
            raise _bad(f"The key in the URL is longer than {_LONGEST_KEY:,} characters.")
        if "\0" in key or any("\ud800" <= char <= "\udfff" for char in key):
            raise _bad("The key in the URL is not valid Unicode.")
        return cls(scheme.lower(), bucket, key)

    @property
    def is_folder(self) -> bool:
        """Whether it stands for all objects whose keys begin with its key, judging by the URL alone."""
        return not self.key or self.key.endswith("/")

    def with_key(self, key: str) -> BucketUrl:
        return BucketUrl(self.scheme, self.bucket, key)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


def is_bucket_url(text: str) -> bool:
    """Whether a text is the URL of a bucket or of something in it."""
    return text[:5].lower() in {f"{scheme}://" for scheme in SCHEMES}


def _bad(message: str) -> Refused:
    return Refused(RefusalCode.BAD_URL, message)
