"""The public function `pull`: a finished dataset of a bucket, copied into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from facesieve.dataset.disk.atomic import wrap_write_errors
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.tables.counts import Counts
from facesieve.errors import DatasetError
from facesieve.run.bucket_dataset import own_folder
from facesieve.run.bucket_folder import parsed_dataset_url
from facesieve.run.claim import lock_dataset
from facesieve.run.copies import Copies
from facesieve.run.mirror import Mirror
from facesieve.run.open_dataset import open_dataset
from facesieve.run.sync_record import SyncRecord
from facesieve.settings import Settings
from facesieve.sources.remote.objects import Objects
from facesieve.sources.remote.thread import FetchThread


def pull(
    dataset: str,
    folder: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    announce: Callable[[str], object] = lambda line: None,
) -> Counts:
    """Copy a finished dataset from a bucket into a folder, which is then a dataset like any other.

    dataset: its URL, such as `s3://bucket/dataset`. folder: it is new or empty, or an earlier copy of this dataset did
    not end. announce: called with a line that says how much is copied. Returns the counts of the dataset.
    Raises UsageError for a wrong URL, and DatasetError if the dataset is unfinished, cannot be read, or changes
    meanwhile, or if the folder cannot be written.
    """
    settings, layout, url = settings or Settings.load(), Layout(Path(folder)), parsed_dataset_url(dataset)
    if layout.about.exists():
        raise DatasetError("not_empty", f"{layout.root} is a dataset already. Name a new folder.")
    with own_folder(layout.root, url) as own, lock_dataset(layout):
        thread = FetchThread(settings)
        objects = Objects(thread.fetcher, url, settings.bucket_tries)
        mirror = Mirror(layout, Copies(layout, objects, SyncRecord(own / "synced", own)))
        thread.wait(mirror.look())
        if not mirror.is_finished:
            raise DatasetError(
                "unfinished",
                f"{url} holds no finished dataset. Check the URL; if its build was stopped, run it again.",
            )
        thread.wait(mirror.fetch(False, announce))
        before = mirror.versions()
        thread.wait(mirror.look())
        if mirror.versions() != before:
            with wrap_write_errors(layout.about):
                layout.about.unlink()
            raise DatasetError(
                "dataset_changed",
                f"{url} changed while it was copied. Wait until its build has ended, and try again.",
            )
    return open_dataset(layout.root).about.counts
