"""What every store of buckets can do, and the choice of one by the scheme of a URL."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Literal, Protocol

from facesieve.buckets.url import BucketUrl
from facesieve.errors import UsageError

# By scheme: the module and class of the store, and the package that it needs.
_STORES = {
    "s3": ("facesieve.buckets.s3", "S3Store", "botocore"),
    "gs": ("facesieve.buckets.gs", "GoogleStore", "google.auth"),
    "az": ("facesieve.buckets.az", "AzureStore", "azure.identity"),
}

Method = Literal["GET", "HEAD"]
Change = Literal["PUT", "DELETE"]

ABSENT = ""  # instead of a version: the object must not exist


@dataclass(frozen=True, slots=True)
class Request:
    """A request that carries the user's credentials, in its URL or its headers. It is valid for some minutes."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: Method | Change = "GET"


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a store lists it.

    size: in bytes. tag: another text whenever the content is another; or "". version: as in `Store.change_request`.
    """

    key: str
    size: int
    tag: str
    version: str = ""

    @property
    def fingerprint(self) -> str:
        return f"{self.size}-{self.tag}"


@dataclass(frozen=True, slots=True)
class Page:
    """Some objects of a bucket. after: what the request for the next page needs; "" on the last page."""

    objects: list[Listed]
    after: str = ""


class Store(Protocol):
    """One bucket. All methods may be called from several threads, and may block while credentials are fetched.

    They raise Refused `fetch_failed` with a sentence if there are no usable credentials.
    """

    def request(self, key: str, method: Method = "GET") -> Request:
        """Asks for an object, or with HEAD for its size and tag."""
        ...

    def change_request(self, key: str, method: Change, only_if: str | None = None) -> Request:
        """Asks to write an object, whose bytes are sent with the request, or to delete it.

        only_if: the version that the object must have, or `ABSENT`; otherwise the store answers with status 412. None
        asks for any. Some stores ignore this.
        """
        ...

    def version_of(self, headers: Mapping[str, str]) -> str:
        """The version of an object, from the headers of the answer to any request about it, as in `Listed`."""
        ...

    def list_request(self, prefix: str, after: str = "") -> Request:
        """Asks for the objects whose keys begin with `prefix`. after: of the page before."""
        ...

    def page(self, body: bytes) -> Page:
        """The objects in the answer to `list_request`. Raises Refused `fetch_failed` if it is no such answer."""
        ...

    def learn(self, headers: Mapping[str, str]) -> bool:
        """Whether the headers of a refusal tell something that makes it worth asking again, such as the region."""
        ...

    @property
    def hint(self) -> str:
        """What to do if the store does not admit the user, as a sentence; or ""."""
        ...


class Stores:
    """The stores that one process uses, each opened once. writing: whether objects will be written and deleted."""

    def __init__(self, writing: bool = False) -> None:
        self._writing = writing
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], Store] = {}

    def of(self, url: BucketUrl) -> Store:
        """The store of a bucket. Raises UsageError `no_cloud`, and Refused `fetch_failed` for wrong credentials."""
        with self._lock:
            store = self._open.get((url.scheme, url.bucket))
            if store is None:
                check_installed(url.scheme)
                module, name, _ = _STORES[url.scheme]
                store = self._open[url.scheme, url.bucket] = self._opened(module, name, url)
            return store

    def _opened(self, module: str, name: str, url: BucketUrl) -> Store:
        store: Store = getattr(import_module(module), name)(url.bucket, self._writing)
        return store


def check_installed(scheme: str) -> None:
    """Raises UsageError `no_cloud` if a package is missing that buckets of this kind need."""
    if not _is_installed(_STORES[scheme][2]) or not _is_installed("h11"):
        message = f"Buckets of {scheme}:// need the extra `cloud`: pip install 'facesieve[cloud]'."
        raise UsageError("no_cloud", message)


@cache  # every row of a list asks
def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:  # its parent is missing
        return False
