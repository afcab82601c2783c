"""Whether a build may write a dataset into a folder of a bucket: it is empty or a dataset, and in no other dataset."""

from __future__ import annotations

from dataclasses import replace

from facesieve.buckets import BucketUrl, check_installed
from facesieve.dataset.disk.layout import HIDDEN
from facesieve.errors import DatasetError, Refused, UsageError
from facesieve.records import displayed
from facesieve.run.copies import sentence
from facesieve.run.object_kinds import ABOUT
from facesieve.sources.remote.objects import Objects

_LONGEST = 700  # bytes of a prefix; a key has at most 1,024


def parsed_dataset_url(url: str) -> BucketUrl:
    """The folder of a bucket that the URL of a dataset stands for. Raises UsageError `bad_url` and `no_cloud`."""
    try:
        folder = BucketUrl.parse(url)
    except Refused as refused:
        raise UsageError("bad_url", f"{displayed(url)} cannot be a dataset: {sentence(refused)}") from refused
    check_installed(folder.scheme)
    key = folder.key.rstrip("/")
    if len(key.encode()) > _LONGEST:
        message = f"The URL of a dataset may have at most {_LONGEST} bytes after the name of the bucket."
        raise UsageError("bad_url", message)
    return folder.with_key(f"{key}/" if key else "")


async def check_bucket_folder(objects: Objects) -> None:
    """Check that the bucket can be read, and that the folder holds a dataset or nothing, and is in no other dataset.

    Raises DatasetError `cannot_read`, `not_a_dataset` and `inside_a_dataset`.
    """
    try:
        names = await _first_names(objects)
    except Refused as refused:
        raise DatasetError("cannot_read", f"Cannot read {objects.folder}: {sentence(refused)}") from refused
    for folder in _outer_folders(objects.folder):
        try:
            inside = await _is_dataset(replace(objects, folder=folder))
        except Refused:  # these credentials are for the inner folder only
            continue
        if inside:
            raise DatasetError(
                "inside_a_dataset",
                f"{objects.folder} is inside the dataset {folder}. Choose a folder outside of it.",
            )
    if any(names) and not any(name.startswith(f"{HIDDEN}/") for name in names):
        other = next(name for name in names if name)
        raise DatasetError(
            "not_a_dataset",
            f"{objects.folder} has other objects in it, such as {displayed(other)!r}. Choose a folder without objects.",
        )


def _outer_folders(folder: BucketUrl) -> list[BucketUrl]:
    """The folders that a folder is in, the outermost first."""
    key = folder.key.rstrip("/")
    return [folder.with_key(key[:end]) for end in (0, *(at + 1 for at, char in enumerate(key) if char == "/")) if key]


async def _is_dataset(objects: Objects) -> bool:
    """Whether a folder has a ledger, or `dataset.json` and the manifest of faces."""
    if await _first_names(objects, f"{HIDDEN}/"):
        return True
    return await objects.version(ABOUT) is not None and bool(await _first_names(objects, "faces.parquet"))


async def _first_names(objects: Objects, beginning: str = "") -> list[str]:
    """The first names in a folder, of those with this beginning."""
    folder = objects.folder
    page = await objects.fetcher.listed(folder.with_key(folder.key + beginning))
    return [one.key.removeprefix(folder.key) for one in page.objects]
