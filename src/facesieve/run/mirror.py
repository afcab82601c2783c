"""Copies a dataset between a bucket and a working folder. A build can always continue what the bucket holds.

Every object is written whole and in one request. An object appears after those that it refers to: the part of a shard
after its crops, `dataset.json` last of all. So whenever a build dies, the bucket has what a build in a local folder
leaves after a crash, and the next build continues it. While anything that readers open is replaced, `dataset.json` is
not there.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from facesieve.dataset.disk.atomic import wrap_write_errors
from facesieve.dataset.disk.checksums import read_checksums
from facesieve.dataset.disk.layout import HIDDEN, Layout
from facesieve.dataset.disk.tar import is_complete
from facesieve.run.copies import Copies, at_once
from facesieve.run.object_kinds import ABOUT, MERGING, PUBLISHED, Kind, kind_of, stamps_below

_POLL = 0.5  # seconds, at least, between two looks at the folder of finished shards
_IDLE = 20  # the pause after a look is this many times as long as the look took
_READERS = (Kind.MANIFEST, Kind.PUBLISHED, Kind.ABOUT)


class Mirror:
    """A dataset in a bucket and its working folder. All methods belong to the event loop of `copies`."""

    def __init__(self, layout: Layout, copies: Copies) -> None:
        self._layout, self._copies = layout, copies

    async def look(self) -> None:
        """List what the bucket holds."""
        await self._copies.look()

    @property
    def is_empty(self) -> bool:
        """Whether the bucket holds nothing of a dataset."""
        return not self._copies.there

    @property
    def is_finished(self) -> bool:
        """Whether the bucket holds a dataset that is published."""
        return ABOUT in self._copies.there and MERGING not in self._copies.there

    def versions(self) -> dict[str, str]:
        """The versions of the objects in the bucket, by name, as `look` found them."""
        return {name: one.version for name, one in self._copies.there.items()}

    async def fetch(self, keep_own: bool, announce: Callable[[str], object]) -> None:
        """Make the working folder equal to the bucket.

        keep_own: keep finished shards that the bucket lacks, because nobody has written to it since they were made.
        Manifests without `dataset.json` are left over from a build that was killed while it published.
        """
        root = self._layout.root
        readers = () if ABOUT in self._copies.there else _READERS
        wanted = {name: one for name, one in self._copies.there.items() if kind_of(name) not in readers}
        local = stamps_below(root)
        kept = self._own_shards(local) if keep_own else set[str]()
        with wrap_write_errors(root):
            for name in sorted(local.keys() - wanted.keys() - kept, reverse=True):
                (root / name).unlink()
                with suppress(OSError):  # the folder is not empty; a file may have to take its name
                    (root / name).parent.rmdir()
        left = [name for name, one in wanted.items() if not self._copies.synced.has(name, one.version, local.get(name))]
        if left:
            size = sum(wanted[name].size for name in left)
            announce(f"copying {len(left):,} objects ({size / 1e6:,.1f} MB) from {self._copies.url} to {root}")
        for names in _sorted(left).values():
            await at_once(self._copies.get, [wanted[name] for name in names])

    async def push(self, publish: bool) -> None:
        """Make the bucket equal to the working folder.

        publish: whether the dataset is finished. Otherwise readers keep what they have: only the ledger is copied, and
        no picture is deleted.
        """
        local = stamps_below(self._layout.root)
        there = {name: one.version for name, one in self._copies.there.items()}
        changed = _sorted(name for name in local if not self._copies.synced.has(name, there.get(name), local[name]))
        changed = {kind: [name for name in names if not self._copies.is_equal(name)] for kind, names in changed.items()}
        gone = _sorted(there.keys() - local.keys())
        kinds = set(Kind) if publish else {Kind.RECORDS, Kind.SHARD}
        replaced = {kind for kind in kinds if gone[kind] or any(name in there for name in changed[kind])}
        await at_once(self._copies.put, changed[Kind.MERGING])
        if replaced - {Kind.PICTURES, Kind.PUBLISHED, Kind.MERGING}:
            await self._copies.delete(PUBLISHED)
        if publish and (changed[Kind.MANIFEST] or gone[Kind.MANIFEST]):
            await self._copies.delete(ABOUT)
            await at_once(self._copies.delete, gone[Kind.MANIFEST])
        await at_once(self._copies.put, changed[Kind.PICTURES])
        await at_once(self._copies.put, changed[Kind.RECORDS])
        await at_once(self._put_shard, _shards(changed[Kind.SHARD]).items())
        await at_once(self._delete_shard, _shards(gone[Kind.SHARD]).values())
        await at_once(self._copies.delete, gone[Kind.RECORDS])
        if publish:
            await at_once(self._copies.put, changed[Kind.MANIFEST])
            last = {PUBLISHED: Kind.PUBLISHED, ABOUT: Kind.ABOUT}
            left = [name for name, kind in last.items() if name not in self._copies.there or name in changed[kind]]
            if left:  # a finished dataset is whole
                await self._copies.check_unchanged()
            for name in left:
                await self._copies.put(name)
            await at_once(self._copies.delete, gone[Kind.PICTURES] + gone[Kind.MERGING])

    async def follow(self, ending: asyncio.Event) -> None:
        """Copy each shard as soon as it is finished, until `ending` is set and all are copied."""
        layout, last = self._layout, False
        while not last:
            last, begun = ending.is_set(), time.monotonic()
            finished = layout.numbers(layout.parts)
            pause = max(_POLL, _IDLE * (time.monotonic() - begun))  # a folder with many parts takes long to list
            new = [number for number in finished if layout.name_of(layout.part(number)) not in self._copies.there]
            await at_once(self._put_finished, new)
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), pause)

    async def _put_finished(self, number: int) -> None:
        """Copy the files of a finished shard, the part last."""
        layout = self._layout
        named = (name for name in read_checksums(layout.sums_of(number)) if not name.startswith(HIDDEN))
        for name in (*named, layout.name_of(layout.unpacked_of(number))):
            await self._copies.put(name)
        await self._put_shard((number, [layout.name_of(layout.part(number))]))

    async def _put_shard(self, shard: tuple[int, list[str]]) -> None:
        """Copy the ledger's files of a shard.

        The checksums are deleted first, because old checksums beside a new part would look like damage.
        shard: its number, and the names that have changed.
        """
        layout, (number, changed) = self._layout, shard
        part, thumbs, sums = (layout.name_of(path(number)) for path in (layout.part, layout.thumbs_of, layout.sums_of))
        if part not in self._copies.there:
            for name in (thumbs, sums, part):
                await self._copies.put(name)
            return
        await self._copies.delete(sums)
        for name in (thumbs, part, sums):
            if name in changed or name not in self._copies.there:
                await self._copies.put(name)

    async def _delete_shard(self, names: list[str]) -> None:
        """Delete files of the ledger, the part first: `parts` is the first of their folders."""
        for name in sorted(names):
            await self._copies.delete(name)

    def _own_shards(self, local: Mapping[str, str]) -> set[str]:
        """The names of the files of finished shards that the bucket lacks."""
        layout, found = self._layout, set[str]()
        for number in layout.numbers(layout.parts):
            paths = [path(number) for path in (layout.part, layout.thumbs_of, layout.sums_of, layout.unpacked_of)]
            names = [layout.name_of(path) for path in paths]
            if names[0] not in self._copies.there and all(name in local for name in names) and is_complete(paths[-1]):
                found |= {*names, *read_checksums(layout.sums_of(number))}
        return found


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
