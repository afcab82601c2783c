"""Buckets: what their URLs mean, and requests to their stores that carry the user's credentials.

A `Store` makes requests, and the caller sends them with its own HTTP client and limits. Only to fetch credentials, the
packages of the stores use the network themselves.
"""

from facesieve.buckets.store import ABSENT, Listed, Page, Request, Store, Stores, check_installed
from facesieve.buckets.url import SCHEMES, BucketUrl, is_bucket_url

__all__ = [
    "ABSENT",
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
