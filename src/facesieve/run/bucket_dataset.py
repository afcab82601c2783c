"""A dataset in a bucket while a build writes it: its working folder, its lease, and what runs beside the build."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from facesieve.buckets import BucketUrl
from facesieve.dataset.disk.atomic import wrap_read_errors, wrap_write_errors, write_file_durably
from facesieve.dataset.disk.layout import HIDDEN, Layout
from facesieve.dataset.disk.names import safe_name
from facesieve.errors import DatasetError, FacesieveError, Refused, UsageError
from facesieve.run.bucket_folder import check_bucket_folder, parsed_dataset_url
from facesieve.run.claim import check_writable, lock_dataset, other_files
from facesieve.run.copies import Copies, sentence
from facesieve.run.lease import Lease
from facesieve.run.mirror import Mirror
from facesieve.run.sync_record import SyncRecord
from facesieve.settings import Settings
from facesieve.sources.remote.objects import Objects
from facesieve.sources.remote.thread import FetchThread

Announce = Callable[[str], object]

_LARGEST_TARS = 2 * 10**9  # the largest tar_bytes; a tar file may be twice as large, and must fit into one request
_LOCAL = ("cannot_write", "cannot_read")  # errors whose message names the file that it is about


@dataclass(slots=True)
class BucketDataset:
    """A dataset in a bucket that this process writes. root: its working folder, which a build can write as usual."""

    root: Path
    _thread: FetchThread
    _mirror: Mirror
    _lease: Lease
    _copies: Future[None] | None = None

    @contextmanager
    def following(self) -> Iterator[None]:
        """Copy the ledger as it is now, and then every shard that is finished while the context is open.

        At the end, all of them are in the bucket. Raises DatasetError.
        """
        self._thread.wait(self._mirror.push(publish=False))
        ending = asyncio.Event()
        self._copies = self._thread.start(self._mirror.follow(ending))
        try:
            yield
            self._thread.loop.call_soon_threadsafe(ending.set)
            self._copies.result()
        finally:
            self._copies.cancel()
            self._copies = None

    def check(self) -> None:
        """Raises DatasetError if the copies that run beside the build have failed, or the lease is lost."""
        self._lease.check()
        if self._copies and self._copies.done():
            self._copies.result()

    def publish(self) -> None:
        """Copy the published dataset. Raises DatasetError."""
        self._thread.wait(self._mirror.push(publish=True))


@contextmanager
def opened_bucket(
    url: str, settings: Settings, announce: Announce, work_folder: Path | None = None
) -> Iterator[BucketDataset]:
    """Take the lease of a dataset in a bucket, and bring its working folder up to date.

    Nothing is left in the bucket if nothing of a dataset was there or was written.
    work_folder: None takes one in the cache, which belongs to the URL.
    Raises UsageError for a wrong URL, and DatasetError if the bucket cannot be read or written, another build holds the
    lease, or the folder is that of another dataset.
    """
    folder = parsed_dataset_url(url)
    root = work_folder or settings.cache_dir / "buckets" / _folder_name(folder)
    if settings.tar_bytes > _LARGEST_TARS:
        raise UsageError("tars_too_large", f"In buckets, tar_bytes may be at most {_LARGEST_TARS:,}.")
    with own_folder(root, folder) as own:
        thread = FetchThread(settings, writing=True)
        objects = Objects(thread.fetcher, folder, settings.bucket_tries)
        lease, layout = Lease(objects, settings.bucket_lease), Layout(root)
        thread.wait(check_bucket_folder(objects))
        known = _read(own / "owner")
        owner = thread.wait(_take(lease, known, own / "owner", announce))
        mirror = Mirror(layout, Copies(layout, objects, SyncRecord(own / "synced", own), lease))
        renewals = thread.start(lease.keep())
        try:
            with lock_dataset(layout, merging=True):  # what may not touch an unfinished merge says so itself
                thread.wait(mirror.look())
                thread.wait(mirror.fetch(owner == known, announce))
                write_file_durably(owner.encode(), own / "owner", layout.scratch)
            yield BucketDataset(root, thread, mirror, lease)
        except FacesieveError as error:
            if error.code in _LOCAL:
                raise
            raise type(error)(error.code, error.message.replace(str(root), str(folder).rstrip("/"))) from error
        finally:
            renewals.cancel()
            with suppress(Refused, FacesieveError, TimeoutError):
                thread.wait(lease.release(forgotten=mirror.is_empty))


def _folder_name(folder: BucketUrl) -> str:
    """The name of the working folder of a dataset."""
    last = safe_name(folder.key.rstrip("/").rpartition("/")[2] or "dataset")
    return f"{folder.bucket}-{last}-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


@contextmanager
def own_folder(root: Path, folder: BucketUrl) -> Iterator[Path]:
    """Lock the working folder of a dataset. Yields the folder in it for what is not part of the dataset.

    Raises DatasetError if another build uses it, or it is not new and is not the working folder of this dataset.
    """
    check_writable(root)
    own, text = root / HIDDEN / "mirror", str(folder)
    with wrap_read_errors(root):
        new = not root.is_dir() or (set(other_files(root)) <= {HIDDEN} and not Layout(root).made.exists())
    if not new and _read(own / "url") != text:
        raise DatasetError(
            "other_work_folder", f"{root} is not the working folder of {text}. Name a new folder for it."
        )
    with wrap_write_errors(own):
        own.mkdir(parents=True, exist_ok=True)
        (own / "url").write_bytes(text.encode())
        lock = FileLock(own / "lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            message = f"Another build on this machine is writing to {text}. Wait until it has ended."
            raise DatasetError("in_use", message) from error
    try:
        yield own
    finally:
        lock.release()


async def _take(lease: Lease, known: str, file: Path, announce: Announce) -> str:
    """Take the lease. Returns its owner: `known` if the last lease was that of this working folder, else a new one.

    file: the file that holds `known`. It is removed before a lease of another owner is taken over, so that a build that
    dies here leaves no working folder that claims to be up to date.
    """
    try:
        found = await lease.look()
        owner = known if known and found.holder and found.holder.owner == known else uuid4().hex
        lease.check_free(found, owner)
        if owner != known:
            with wrap_write_errors(file):
                file.unlink(missing_ok=True)
        await lease.take(found, owner)
    except Refused as refused:
        raise DatasetError("cannot_write", f"Cannot write {lease.url}: {sentence(refused)}") from refused
    if not lease.honoured:
        announce(
            f"the store of {lease.url} ignores conditions on writes, so two builds that begin at the same moment are "
            "told apart only by reading back"
        )
    return owner


def _read(path: Path) -> str:
    with wrap_read_errors(path):
        return path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
