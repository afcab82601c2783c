"""The objects below a folder of a bucket, by their names there: lists, reads, writes and deletes them."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from functools import partial
from io import BytesIO
from mimetypes import guess_type
from typing import BinaryIO

from facesieve.buckets import BucketUrl, Listed, Request, Store
from facesieve.buckets.answers import error_code, tag_of
from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.sources.remote.client import Answer, Bodies, bad_status
from facesieve.sources.remote.exchange import Body
from facesieve.sources.remote.fetch import Fetcher

LARGEST = 5 * 10**9  # bytes that every store takes in one request
_PIECE = 2**20  # bytes of a file in memory while it is sent
_UNMET = (404, 409, 412)  # statuses of a write whose condition is not met, if the store's code is one of these
_UNMET_CODES = {
    *("ConditionalRequestConflict", "NoSuchKey"),
    *("BlobAlreadyExists", "BlobNotFound"),
}
_UNKNOWN = 501  # status of a store that knows no conditions

_Make = Callable[[Store, str], Request]


@dataclass(frozen=True, slots=True)
class Content:
    """A small object. age: seconds since it was written, by the clock of the store; 0 if the store does not say."""

    data: bytes
    version: str
    age: float


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects whose keys begin with the key of `folder`. Names are keys without that beginning.

    tries: how often a request is made while the host fails or is busy. All methods raise Refused, with a sentence.
    """

    fetcher: Fetcher
    folder: BucketUrl
    tries: int

    async def listed(self) -> AsyncIterator[Listed]:
        """Yields all objects, in the order of the store."""
        after, seen = "", set[str]()
        while True:
            page = await self.fetcher.listed(self.folder, after)
            for one in page.objects:
                yield replace(one, key=one.key.removeprefix(self.folder.key))
            if not page.after:
                return
            if page.after in seen:
                raise Refused(RefusalCode.FETCH_FAILED, "The list of objects does not end.")
            after = page.after
            seen.add(after)

    async def read(self, name: str, limit: int) -> Content | None:
        """An object of at most `limit` bytes; None if there is none."""
        answer = await self._ask(name, lambda store, key: store.request(key), (200, 404), Bodies(limit))
        if answer.head.status == 404:
            return None
        return Content(answer.body, self._version(answer), _age(answer))

    async def version(self, name: str) -> str | None:
        """The version of an object as it is now; None if there is none."""
        answer = await self._ask(name, lambda store, key: store.request(key, "HEAD"), (200, 404))
        return self._version(answer) if answer.head.status == 200 else None

    async def download(self, listed: Listed, into: BinaryIO) -> None:
        """Read an object into a stream. Raises Refused also if it is not the listed one any more."""
        bodies = Bodies(max(listed.size, 1), into=into)
        answer = await self._ask(listed.key, lambda store, key: store.request(key), bodies=bodies)
        if tag_of(self._version(answer)) != tag_of(listed.version) or into.tell() != listed.size:
            raise Refused(RefusalCode.FETCH_FAILED, "It changed while it was copied.")

    async def write(self, name: str, content: bytes | BinaryIO, only_if: str | None = None) -> str | None:
        """Write an object, and return its new version; None if the condition is not met.

        content: bytes, or an open file. only_if: as in `Store.change_request`. The store compares an MD5 digest.
        """
        stream = BytesIO(content) if isinstance(content, bytes) else content
        size = stream.seek(0, os.SEEK_END)
        headers = {
            "Content-MD5": b64encode(_md5(stream)).decode(),
            "Content-Type": guess_type(name)[0] or "application/octet-stream",
        }

        def make(store: Store, key: str) -> Request:
            asked = store.change_request(key, "PUT", only_if)
            return replace(asked, headers={**asked.headers, **headers})

        statuses = (200, 201) if only_if is None else (200, 201, *_UNMET, _UNKNOWN)
        answer = await self._ask(name, make, statuses, Bodies(sent=Body(size, partial(_pieces, stream))))
        if answer.head.status == _UNKNOWN:
            return await self.write(name, stream)
        if answer.head.status in _UNMET:
            if answer.head.status == 412 or error_code(answer.body) in _UNMET_CODES:
                return None
            raise bad_status(answer)
        return self._version(answer) or await self.version(name) or ""

    async def delete(self, name: str) -> None:
        """Delete an object, if it is there."""
        await self._ask(name, lambda store, key: store.change_request(key, "DELETE"), (200, 202, 204, 404))

    async def _ask(
        self,
        name: str,
        make: _Make,
        statuses: tuple[int, ...] = (200,),
        bodies: Bodies | None = None,
    ) -> Answer:
        client, key = self.fetcher.client, self.folder.key + name
        ask = partial(client.ask_store, self.folder, lambda store: make(store, key), bodies)
        return await client.retry(ask, statuses, self.tries)

    def _version(self, answer: Answer) -> str:
        headers = {name: answer.head.get(name) for name in answer.head.headers}
        return self.fetcher.client.store(self.folder).version_of(headers)


def _md5(stream: BinaryIO) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    for piece in _pieces(stream):
        digest.update(piece)
    return digest.digest()


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    stream.seek(0)
    while piece := stream.read(_PIECE):
        yield piece


def _age(answer: Answer) -> float:
    try:
        now, written = (parsedate_to_datetime(answer.head.get(name)) for name in ("date", "last-modified"))
        return max(0.0, (now - written).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
