"""Copies a dataset between a bucket and a working folder. A build can always continue what the bucket holds.

Every object is written whole and in one request. An object appears after those that it refers to: the part of a shard
after its crops, `dataset.json` last of all. So whenever a build dies, the bucket has what a build in a local folder
leaves after a crash, and the next build continues it. While anything that readers open is replaced, `dataset.json` is
not there.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from facesieve.buckets import ABSENT, Listed
from facesieve.dataset.disk.atomic import open_for_writing, wrap_read_errors, wrap_write_errors
from facesieve.dataset.disk.checksums import read_checksums
from facesieve.dataset.disk.layout import HIDDEN, Layout, file_size
from facesieve.dataset.disk.tar import is_complete
from facesieve.errors import DatasetError, Refused
from facesieve.records import RefusalCode
from facesieve.run.lease import Lease
from facesieve.run.mirrored_names import ABOUT, PUBLISHED, Kind, kind_of, stamps_below
from facesieve.run.synced import Synced, stamp_of
from facesieve.sources.remote.objects import LARGEST, Objects

Item = TypeVar("Item")

_AT_ONCE = 16  # objects that are copied at a time
_POLL = 0.5  # seconds, at least, between two looks at the folder of finished shards
_IDLE = 20  # times as long as a look takes; the pause after it
_CONFLICTS = 4  # times that an object may turn out to be another one before it is written
_READERS = (Kind.MANIFEST, Kind.PUBLISHED, Kind.ABOUT)


class Mirror:
    """A dataset in a bucket and its working folder. All methods belong to the event loop of `objects`.

    lease: it is held while anything is written; None for a copy that only reads.
    Errors of the store become DatasetError `cannot_read` or `cannot_write`.
    """

    def __init__(self, layout: Layout, objects: Objects, synced: Synced, lease: Lease | None = None) -> None:
        self._layout, self._objects, self._synced, self._lease = layout, objects, synced, lease
        self._there: dict[str, Listed] = {}

    async def look(self) -> None:
        """List what the bucket holds. What does not belong to a dataset is ignored."""
        async with self._reading():
            self._there = {one.key: one async for one in self._objects.listed() if kind_of(one.key) is not None}

    @property
    def is_empty(self) -> bool:
        """Whether the bucket holds nothing of a dataset."""
        return not self._there

    @property
    def is_finished(self) -> bool:
        """Whether the bucket holds a dataset that is published."""
        return ABOUT in self._there

    def versions(self) -> dict[str, str]:
        """The versions of the objects in the bucket, by name, as `look` found them."""
        return {name: one.version for name, one in self._there.items()}

    async def fetch(self, keep_own: bool, announce: Callable[[str], object]) -> None:
        """Make the working folder equal to the bucket.

        keep_own: keep finished shards that the bucket lacks, because nobody has written to it since they were made.
        Manifests without `dataset.json` are left over from a build that was killed while it published.
        """
        root = self._layout.root
        readers = () if ABOUT in self._there else _READERS
        wanted = {name: one for name, one in self._there.items() if kind_of(name) not in readers}
        local = stamps_below(root)
        kept = self._own_shards(local) if keep_own else set[str]()
        with wrap_write_errors(root):
            for name in sorted(local.keys() - wanted.keys() - kept, reverse=True):
                (root / name).unlink()
                with suppress(OSError):  # the folder is not empty; a file may have to take its name
                    (root / name).parent.rmdir()
        left = [name for name, one in wanted.items() if not self._synced.has(name, one.version, local.get(name))]
        if left:
            size = sum(wanted[name].size for name in left)
            announce(f"copying {len(left):,} objects ({size / 1e6:,.1f} MB) from {self._objects.folder} to {root}")
        for names in _sorted(left).values():
            await at_once(self._get, [wanted[name] for name in names])

    async def push(self, publish: bool) -> None:
        """Make the bucket equal to the working folder.

        publish: whether the dataset is finished. Otherwise readers keep what they have: only the ledger is copied, and
        no picture is deleted.
        """
        local = stamps_below(self._layout.root)
        there = {name: one.version for name, one in self._there.items()}
        changed = _sorted(name for name in local if not self._synced.has(name, there.get(name), local[name]))
        changed = {kind: [name for name in names if not self._is_equal(name)] for kind, names in changed.items()}
        gone = _sorted(there.keys() - local.keys())
        kinds = set(Kind) if publish else {Kind.RECORDS, Kind.SHARD}
        replaced = {kind for kind in kinds if gone[kind] or any(name in there for name in changed[kind])}
        if replaced - {Kind.PICTURES, Kind.PUBLISHED}:
            await self._delete(PUBLISHED)
        if publish and (changed[Kind.MANIFEST] or gone[Kind.MANIFEST]):
            await self._delete(ABOUT)
            await at_once(self._delete, gone[Kind.MANIFEST])
        await at_once(self._put, changed[Kind.PICTURES])
        await at_once(self._put, changed[Kind.RECORDS])
        await at_once(self._put_shard, _shards(changed[Kind.SHARD]).items())
        if publish:
            await at_once(self._put, changed[Kind.MANIFEST])
            for name in (PUBLISHED, ABOUT):
                if name not in self._there or name in changed[kind_of(name) or Kind.ABOUT]:
                    await self._put(name)
        await at_once(self._delete_shard, _shards(gone[Kind.SHARD]).values())
        await at_once(self._delete, [*gone[Kind.RECORDS], *(gone[Kind.PICTURES] if publish else ())])

    async def follow(self, ending: asyncio.Event) -> None:
        """Copy each shard as soon as it is finished, until `ending` is set and all are copied."""
        layout, last = self._layout, False
        while not last:
            last, begun = ending.is_set(), time.monotonic()
            finished = layout.numbers(layout.parts)
            pause = max(_POLL, _IDLE * (time.monotonic() - begun))  # a folder with many parts takes long to list
            new = [number for number in finished if layout.name_of(layout.part(number)) not in self._there]
            await at_once(self._put_finished, new)
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), pause)

    async def _put_finished(self, number: int) -> None:
        """Copy the files of a finished shard, the part last."""
        layout = self._layout
        named = (name for name in read_checksums(layout.sums_of(number)) if not name.startswith(HIDDEN))
        for name in (*named, layout.name_of(layout.unpacked_of(number))):
            await self._put(name)
        await self._put_shard((number, [layout.name_of(layout.part(number))]))

    async def _put_shard(self, shard: tuple[int, list[str]]) -> None:
        """Copy the ledger's files of a shard. Checksums that do not fit a part that is replaced would look like damage.

        shard: its number, and the names that have changed.
        """
        layout, (number, changed) = self._layout, shard
        part, thumbs, sums = (layout.name_of(path(number)) for path in (layout.part, layout.thumbs_of, layout.sums_of))
        if part not in self._there:
            for name in (thumbs, sums, part):
                await self._put(name)
            return
        await self._delete(sums)
        for name in (thumbs, part, sums):
            if name in changed or name not in self._there:
                await self._put(name)

    async def _delete_shard(self, names: list[str]) -> None:
        """Delete files of the ledger, the part first: `parts` is the first of their folders."""
        for name in sorted(names):
            await self._delete(name)

    async def _get(self, listed: Listed) -> None:
        path = self._layout.root / listed.key
        async with self._reading(listed.key):
            with open_for_writing(path, self._layout.scratch) as stream:
                await self._objects.download(listed, stream)
            self._synced.note(listed.key, listed.version, stamp_of(path.stat()))

    async def _put(self, name: str) -> None:
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
        self._there[name] = Listed(name, state.st_size, "", version)
        self._synced.note(name, version, stamp_of(state))

    async def _written(self, name: str, content: BinaryIO, lease: Lease) -> str:
        """Write an object in place of the one that is known, and return its version. Raises Refused."""
        known = self._there.get(name)
        version, only_if = None, known.version if known else ABSENT
        for _ in range(_CONFLICTS):
            version = await self._objects.write(name, content, only_if)
            if version is not None:
                return version
            # Either the answer to an earlier try was lost, or a build wrote it that has lost its lease since.
            await lease.confirm()
            only_if = await self._objects.version(name) or ABSENT
        raise Refused(RefusalCode.FETCH_FAILED, "Another program changes it again and again.")

    async def _delete(self, name: str) -> None:
        if name in self._there:
            async with self._writing(name):
                await self._objects.delete(name)
            del self._there[name]

    def _is_equal(self, name: str) -> bool:
        """Whether an object has the content of its file, because its version is the MD5 digest of that."""
        there, path = self._there.get(name), self._layout.root / name
        if there is None or there.size != file_size(path):
            return False
        with wrap_read_errors(path), path.open("rb") as stream:
            digest = hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
            if digest == there.version.strip('"'):
                self._synced.note(name, there.version, stamp_of(os.fstat(stream.fileno())))
                return True
        return False

    def _own_shards(self, local: Mapping[str, str]) -> set[str]:
        """The names of the files of finished shards that the bucket lacks."""
        layout, found = self._layout, set[str]()
        for number in layout.numbers(layout.parts):
            paths = [path(number) for path in (layout.part, layout.thumbs_of, layout.sums_of, layout.unpacked_of)]
            names = [layout.name_of(path) for path in paths]
            if names[0] not in self._there and all(name in local for name in names) and is_complete(paths[-1]):
                found |= {*names, *read_checksums(layout.sums_of(number))}
        return found

    @asynccontextmanager
    async def _reading(self, name: str = "") -> AsyncIterator[None]:
        try:
            yield
        except Refused as refused:
            raise DatasetError(
                "cannot_read", f"Cannot read {self._objects.folder}{name}: {sentence(refused)}"
            ) from refused

    @asynccontextmanager
    async def _writing(self, name: str) -> AsyncIterator[Lease]:
        """Hold the lease while an object is changed."""
        assert self._lease, "this copy only reads"
        try:
            await self._lease.held()
            yield self._lease
        except Refused as refused:
            raise DatasetError(
                "cannot_write", f"Cannot write {self._objects.folder}{name}: {sentence(refused)}"
            ) from refused


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


def _sorted(names: Iterable[str]) -> dict[Kind, list[str]]:
    """Names by their kinds, in order. Every kind has a list."""
    found = {kind: list[str]() for kind in Kind}
    for name in sorted(names):
        kind = kind_of(name)
        assert kind is not None
        found[kind].append(name)
    return found


def _shards(names: Iterable[str]) -> dict[int, list[str]]:
    """Names of files of the ledger by the numbers of their shards, ascending."""
    found = defaultdict[int, list[str]](list)
    for name in names:
        found[int(Path(name).stem)].append(name)
    return dict(sorted(found.items()))
