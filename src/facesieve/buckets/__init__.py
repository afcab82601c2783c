"""Buckets: what their URLs mean, and requests to their stores that carry the user's credentials.

Nothing here talks to a store by itself, except to fetch credentials: a `Store` makes requests, and the caller sends
them with the HTTP client and the limits of its own.
"""

from facesieve.buckets.store import Listed, Page, Request, Store, Stores, check_installed
from facesieve.buckets.url import SCHEMES, BucketUrl, is_bucket_url

__all__ = [
    "SCHEMES",
    "BucketUrl",
    "Listed",
    "Page",
    "Request",
    "Store",
    "Stores",
    "check_installed",
    "is_bucket_url",
]
