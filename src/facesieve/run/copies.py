"""Copies single files between a working folder and a bucket, and remembers which of them are equal."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import BinaryIO, TypeVar

from facesieve.buckets import ABSENT, Listed
from facesieve.dataset.disk.atomic import open_for_writing, wrap_read_errors
from facesieve.dataset.disk.layout import Layout, file_size
from facesieve.dataset.disk.names import shortened_list
from facesieve.errors import DatasetError, Refused
from facesieve.records import RefusalCode
from facesieve.run.lease import Lease
from facesieve.run.object_kinds import kind_of
from facesieve.run.sync_record import SyncRecord, stamp_of
from facesieve.sources.remote.objects import LARGEST, Objects

Item = TypeVar("Item")

_AT_ONCE = 16  # objects that are copied at a time
_CONFLICTS = 4  # tries to write an object that another program keeps changing


class Copies:
    """The files of a dataset, each in its working folder and as an object of a bucket.

    there: the objects in the bucket, by name. lease: it is held while anything is written; None to only read.
    All methods belong to the event loop of `objects`. Errors of the store become DatasetError `cannot_read` or
    `cannot_write`.
    """

    def __init__(self, layout: Layout, objects: Objects, synced: SyncRecord, lease: Lease | None = None) -> None:
        self._layout, self._objects, self._lease = layout, objects, lease
        self.synced = synced
        self.there: dict[str, Listed] = {}

    @property
    def url(self) -> str:
        return str(self._objects.folder)

    async def look(self) -> None:
        """List what the bucket holds. What does not belong to a dataset is ignored."""
        async with self._reading():
            self.there = {one.key: one async for one in self._objects.listed() if kind_of(one.key) is not None}

    async def check_unchanged(self) -> None:
        """Check that the bucket holds what was copied. Raises DatasetError `dataset_changed`."""
        known = {name: one.version for name, one in self.there.items()}
        await self.look()
        found = {name: one.version for name, one in self.there.items()}
        if differs := sorted(name for name in known.keys() | found.keys() if known.get(name) != found.get(name)):
            raise DatasetError(
                "dataset_changed",
                f"Another program changed or deleted objects of {self.url}: {shortened_list(differs)}. Run the same "
                "build again.",
            )

    async def get(self, listed: Listed) -> None:
        """Copy a listed object into the working folder."""
        path = self._layout.root / listed.key
        async with self._reading(listed.key):
            with open_for_writing(path, self._layout.scratch) as stream:
                await self._objects.download(listed, stream)
            self.synced.note(listed.key, listed.version, stamp_of(path.stat()))

    async def put(self, name: str) -> None:
        """Copy a file into the bucket."""
        path = self._layout.root / name
        with wrap_read_errors(path):
            stream = path.open("rb")
        with stream:
            state = os.fstat(stream.fileno())
            if state.st_size > LARGEST:
                raise DatasetError(
                    "object_too_large",
                    f"{path} has more than {LARGEST:,} bytes, which is too large for one object. Use a smaller "
                    "shard_size, tar_bytes or manifest_rows.",
                )
            async with self._writing(name) as lease:
                version = await self._written(name, stream, lease)
        self.there[name] = Listed(name, state.st_size, "", version)
        self.synced.note(name, version, stamp_of(state))

    async def _written(self, name: str, content: BinaryIO, lease: Lease) -> str:
        """Write an object in place of the one that is known, and return its version. Raises Refused."""
        known = self.there.get(name)
        version, only_if = None, known.version if known else ABSENT
        for _ in range(_CONFLICTS):
            version = await self._objects.write(name, content, only_if)
            if version is not None:
                return version
            # Either this build wrote it and the answer was lost, or a build wrote it that has lost its lease since.
            await lease.confirm()
            only_if = await self._objects.version(name) or ABSENT
        raise Refused(RefusalCode.FETCH_FAILED, "Another program keeps changing it.")

    async def delete(self, name: str) -> None:
        """Delete an object, if it is there."""
        if name in self.there:
            async with self._writing(name):
                await self._objects.delete(name)
            del self.there[name]

    def is_equal(self, name: str) -> bool:
        """Whether an object has the content of its file, because its version is the MD5 digest of that."""
        there, path = self.there.get(name), self._layout.root / name
        if there is None or there.size != file_size(path):
            return False
        with wrap_read_errors(path), path.open("rb") as stream:
            digest = hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
            if digest == there.version:
                self.synced.note(name, there.version, stamp_of(os.fstat(stream.fileno())))
                return True
        return False

    @asynccontextmanager
    async def _reading(self, name: str = "") -> AsyncIterator[None]:
        try:
            yield
        except Refused as refused:
            raise DatasetError("cannot_read", f"Cannot read {self.url}{name}: {sentence(refused)}") from refused

    @asynccontextmanager
    async def _writing(self, name: str) -> AsyncIterator[Lease]:
        """Hold the lease while an object is changed."""
        assert self._lease, "this copy only reads"
        try:
            await self._lease.ensure_held()
            yield self._lease
        except Refused as refused:
            raise DatasetError("cannot_write", f"Cannot write {self.url}{name}: {sentence(refused)}") from refused


def sentence(refused: Refused) -> str:
    """Why a request was refused, as one sentence."""
    return refused.message or refused.code.sentence


async def at_once(work: Callable[[Item], Awaitable[None]], items: Iterable[Item]) -> None:
    """Do the work for all items, some of them at a time. Raises the first error, and then begins no more work."""
    left = iter(items)

    async def one_after_another() -> None:
        for item in left:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(one_after_another())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
