"""Where a build writes its dataset: a folder of this machine, or a working folder that is copied to a bucket."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from facesieve.dataset.disk.layout import bucket_of
from facesieve.errors import UsageError
from facesieve.settings import Settings

PathText = str | os.PathLike[str]
Announce = Callable[[str], object]


class Output(Protocol):
    """A dataset that is being written: a `Folder`, or `BucketDataset` in a bucket."""

    @property
    def root(self) -> Path:
        """The folder that the build writes."""

    def following(self) -> AbstractContextManager[None]:
        """A context in which shards are built. In a bucket, each finished shard is copied while it is open."""

    def check(self) -> None:
        """Raises DatasetError if the build cannot go on."""

    def publish(self) -> None:
        """Finish, after the dataset was published in the folder. Raises DatasetError."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A dataset in a folder of this machine. The build itself does everything, so these methods do nothing."""

    root: Path

    def following(self) -> AbstractContextManager[None]:
        return nullcontext()

    def check(self) -> None:
        """Nothing runs beside the build, so nothing can have failed."""

    def publish(self) -> None:
        """The build has published it already."""


@contextmanager
def opened_output(
    dataset: PathText, work_folder: PathText | None, settings: Settings, announce: Announce
) -> Iterator[Output]:
    """Open the output of a build. Raises what `opened_bucket` raises, and UsageError `no_work_folder`."""
    url = bucket_of(dataset)
    if url is None:
        if work_folder is not None:
            message = "Only a dataset in a bucket has a working folder; leave out --work-folder (work_folder)."
            raise UsageError("no_work_folder", message)
        yield Folder(Path(dataset))
        return
    from facesieve.run.bucket_dataset import opened_bucket  # builds in folders do not need the packages for buckets

    with opened_bucket(url, settings, announce, None if work_folder is None else Path(work_folder)) as output:
        yield output
