"""The list of objects as S3 answers it; Google's XML interface answers in the same way."""

from __future__ import annotations

from urllib.parse import unquote_plus

from facesieve.buckets.answers import each, number_of, root_of, tag_of, text_of
from facesieve.buckets.store import Listed, Page


def page_of(body: bytes) -> Page:
    """The objects of one page; keys are in URL encoding, because XML cannot hold every character of a key."""
    root = root_of(body, "ListBucketResult")
    encoded = text_of(root, "EncodingType") == "url"
    objects = []
    for item in each(root, "Contents"):
        key = text_of(item, "Key")
        key = unquote_plus(key) if encoded else key
        etag = text_of(item, "ETag")
        version = text_of(item, "Generation") or etag.strip('"')  # only Google has generations
        objects.append(Listed(key, number_of(text_of(item, "Size")), tag_of(etag), version))
    more = text_of(root, "IsTruncated") == "true"
    return Page(objects, text_of(root, "NextContinuationToken") if more else "")
