"""The lease of a dataset in a bucket: an object that says which build may write there, and for how long.

All times are durations by the clock of the store: a lease has ended when its object is older than the duration in it.
The holder writes the object again before that. If it cannot, it stops writing to the dataset. Where the store honours
conditions, two builds cannot take a lease at the same time; where it ignores them, a build waits a moment and reads
back what it wrote.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from facesieve.buckets import ABSENT
from facesieve.errors import DatasetError, Refused
from facesieve.records import RefusalCode
from facesieve.sources.remote.objects import Objects

LEASE = ".facesieve/lease.json"
LONGEST = 86_400.0  # seconds
_LARGEST = 64 * 1024  # bytes of the object
_SETTLED = 2.0  # seconds; a build that took the lease at the same moment has written it by then
_MARGIN = 2.0  # seconds that a lease may end early, because stores count whole seconds
_RELEASE_TIMEOUT = 10.0  # seconds; a lease that is not released in this time ends by itself
_RENEWALS = 4  # in the time that a lease lasts


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease. owner: a random text. seconds: how long the lease lasts; 0 if it was released."""

    owner: str
    host: str
    process: int
    seconds: float

    @classmethod
    def parse(cls, data: bytes, otherwise: float) -> Holder:
        """The holder in the object of a lease. otherwise: how long a lease lasts whose object is not readable."""
        try:
            values = json.loads(data)
            seconds = min(LONGEST, max(0.0, float(values["seconds"])))
            return cls(str(values["owner"]), str(values["host"])[:255], int(values["process"]), seconds)
        except (ValueError, KeyError, TypeError, RecursionError):
            return cls("", "an unknown host", 0, otherwise)

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


@dataclass(frozen=True, slots=True)
class Found:
    """A lease as it is in the bucket.

    holder: None if there is none. version: of its object, or `ABSENT`. left: seconds that it still lasts.
    """

    holder: Holder | None = None
    version: str = ABSENT
    left: float = 0.0


class Lease:
    """The lease of one build. seconds: how long it lasts without being renewed."""

    def __init__(self, objects: Objects, seconds: float) -> None:
        self._objects, self._seconds, self.url = objects, seconds, str(objects.folder)
        self._owner, self._version, self._written = "", ABSENT, 0
        self._until, self._lost = 0.0, ""
        self.honoured = True  # whether the store honours conditions

    async def look(self) -> Found:
        """Read the lease that is in the bucket. Raises Refused."""
        content = await self._objects.read(LEASE, _LARGEST)
        if content is None:
            return Found()
        holder = Holder.parse(content.data, self._seconds)
        return Found(holder, content.version, holder.seconds - content.age)

    def check_free(self, found: Found, owner: str) -> None:
        """Raises DatasetError `in_use` if another build holds the lease."""
        if found.holder is not None and found.holder.owner != owner and found.left > 0:
            until = datetime.now(UTC) + timedelta(seconds=found.left)
            raise DatasetError(
                "in_use",
                f"{self.url} is being written by {found.holder}, whose lease lasts until {until:%H:%M:%S} UTC unless "
                "it renews it. Wait until it has ended.",
            )

    async def take(self, found: Found, owner: str) -> None:
        """Take the lease, if it is still as it was found. Raises DatasetError `in_use`, and Refused."""
        self._owner, self._version = owner, found.version
        if not await self._write():
            self.check_free(found := await self.look(), owner)
            if found.holder is None or found.holder.owner != owner:
                raise DatasetError("in_use", f"Another build began to write to {self.url}. Try again in a minute.")
            await self.renew()  # the lease was written, but the answer of the store was lost
        probe = await self._objects.write(LEASE, self._content(), ABSENT)
        if probe is not None:  # there was an object, so the store ignores conditions
            self.honoured, self._version = False, probe
            await asyncio.sleep(_SETTLED)
            self.check_free(await self.look(), owner)

    async def keep(self) -> None:
        """Renew the lease again and again, until this is cancelled or the lease is lost."""
        while not self._lost:
            await asyncio.sleep(self._seconds / _RENEWALS)
            try:
                async with asyncio.timeout(self._seconds / _RENEWALS):
                    await self.renew()
            except (Refused, TimeoutError):  # the next round tries again; once the lease has ended, nothing is written
                continue
            except DatasetError:
                return

    async def renew(self) -> None:
        """Renew the lease. Raises DatasetError `lease_lost`, and Refused."""
        if not self.honoured or not await self._write():
            await self.confirm()  # the lease may have been written, and only the answer was lost
            await self._write()

    async def ensure_held(self) -> None:
        """Make sure that the lease is held now. Raises DatasetError `lease_lost`, and Refused."""
        self.check()
        if time.monotonic() > self._until:
            await self.renew()
            if time.monotonic() > self._until:
                raise Refused(RefusalCode.FETCH_FAILED, "The lease could not be renewed.")

    async def confirm(self) -> None:
        """Read the lease back. Raises DatasetError `lease_lost` if another build has it, and Refused."""
        found = await self.look()
        if found.holder is None or found.holder.owner != self._owner:
            self._lost = f"{found.holder} took it over" if found.holder else "the lease was deleted"
        self._version = found.version
        self.check()

    def check(self) -> None:
        """Raises DatasetError `lease_lost` if another build has taken the lease."""
        if self._lost:
            raise DatasetError(
                "lease_lost",
                f"This build may not write to {self.url} any more, because {self._lost}. What it wrote there is kept.",
            )

    async def release(self, forgotten: bool) -> None:
        """End the lease. The object stays, and says whose lease was the last, unless it is to be forgotten.

        Raises DatasetError `lease_lost`, Refused, and TimeoutError when the store does not answer soon.
        """
        async with asyncio.timeout(_RELEASE_TIMEOUT):
            await self.ensure_held()
            if forgotten:
                await self._objects.delete(LEASE)
            else:
                self._seconds = 0.0
                await self.renew()

    async def _write(self) -> bool:
        """Write the object; False if it is not the one that this build wrote or found."""
        begun, self._written = time.monotonic(), self._written + 1
        version = await self._objects.write(LEASE, self._content(), self._version)
        if version is None:
            return False
        self._version, self._until = version, begun + self._seconds - _MARGIN
        return True

    def _content(self) -> bytes:
        values = {
            "owner": self._owner,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "seconds": self._seconds,
            "renewed": self._written,
        }
        return (json.dumps(values, indent=2) + "\n").encode()
