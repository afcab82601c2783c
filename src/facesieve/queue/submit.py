"""Submits jobs. A job contains its picture, or the path or URL of the picture."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import to_json
from redis import Redis

from facesieve.buckets import is_bucket_url
from facesieve.errors import Refused
from facesieve.records import RefusalCode, Source, displayed
from facesieve.settings import Settings
from facesieve.sources.openers import File
from facesieve.sources.remote.prefetch import UrlPrefetch
from facesieve.sources.remote.remote import Remote

_FULL = 0.5  # seconds between two looks at a stream that is full


@dataclass(slots=True)
class Submitted:
    """How many jobs are in the stream, and how many pictures are not. It is right at every moment, also after a signal.

    begun: jobs that were sent to Redis; one more than `put` while Redis has not answered.
    """

    put: int = 0
    begun: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        """For people: `1 job`, `3 jobs`, or `3 or 4 jobs` if the last one was cut off."""
        number = f"{self.put}" if self.put == self.begun else f"{self.put} or {self.begun}"
        return f"{number} job{'s' * (self.begun != 1)}"

    @property
    def were(self) -> str:
        """`1 job was`, or `3 jobs were`."""
        return f"{self} {'was' if self.begun == 1 else 'were'}"


@dataclass(frozen=True, slots=True)
class _FetchedByWorkers:
    """Opens a picture behind a URL that is sent as it is, and hides it from `UrlPrefetch`."""

    remote: Remote

    def __call__(self) -> BinaryIO:
        return self.remote()


def submit(
    redis: Redis,
    stream: str,
    sources: Iterable[Source],
    options: Mapping[str, Any],
    paths: Path | None,
    settings: Settings,
    most_jobs: int,
    counts: Submitted,
    announce: Callable[[str], None],
) -> None:
    """Put one job into the stream for each source, and count them in `counts`.

    Objects of buckets are fetched many at a time, because workers may lack our credentials. Other URLs are not fetched.
    paths: the folder that workers have as `--paths`. A file in it is sent as its path, any other file as its bytes.
    most_jobs: submitting waits while the stream has this many jobs.
    announce: called with a line for each source that is not submitted.
    Raises RedisError if Redis does not answer.
    """
    for source in UrlPrefetch(settings)(map(_for_workers, sources)):
        try:
            job = {"id": source.name[:512], **_picture(source, paths, settings.max_file_bytes)}
        except Exception as error:  # a damaged archive raises many kinds, such as BadZipFile
            code = error.code if isinstance(error, Refused) else RefusalCode.UNREADABLE
            message = (error.message if isinstance(error, Refused) else "") or code.sentence
            announce(f"{source.name}: {message} [{code.value}]")
            counts.skipped += 1
            continue
        while redis.xlen(stream) >= most_jobs:
            time.sleep(_FULL)
        counts.begun += 1
        redis.xadd(stream, {"job": to_json(job | ({"options": dict(options)} if options else {}))})
        counts.put += 1


def _for_workers(source: Source) -> Source:
    """The same source, marked if workers fetch it."""
    if isinstance(source.open, Remote) and not is_bucket_url(source.open.url):
        return replace(source, open=_FetchedByWorkers(source.open))
    return source


def _picture(source: Source, paths: Path | None, most_bytes: int) -> dict[str, str]:
    if isinstance(source.open, _FetchedByWorkers):
        return {"url": source.open.remote.url}
    if paths and isinstance(source.open, File):
        path, folder = Path(source.open.path).resolve(), paths.resolve()
        if path.is_relative_to(folder) and displayed(str(path)) == str(path):  # JSON cannot hold other bytes than UTF-8
            return {"path": path.relative_to(folder).as_posix()}
    if source.open is None:
        raise Refused(RefusalCode.UNREADABLE)
    with source.open() as stream:
        data = stream.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise Refused(RefusalCode.TOO_MANY_BYTES)
    return {"image_base64": b64encode(data).decode("ascii")}
