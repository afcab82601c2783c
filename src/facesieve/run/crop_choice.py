"""Which crops a build writes, and in which form: checks what the user asks for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from facesieve.dataset.disk.layout import Layout, bucket_of
from facesieve.dataset.disk.outputs import CUTS
from facesieve.errors import UsageError
from facesieve.run.claim import recorded_options
from facesieve.settings import Settings
from facesieve.sieve import Policy

CropsAs = Literal["files", "shards"]


def checked_cuts(crops: Iterable[str]) -> tuple[str, ...]:
    """The unaligned crops that are asked for, sorted. Raises UsageError `unknown_crop`."""
    wanted = tuple(sorted({crops} if isinstance(crops, str) else set(crops)))
    unknown = [crop for crop in wanted if crop not in CUTS]
    if unknown:
        raise UsageError("unknown_crop", f"There is no crop {unknown[0]!r}; choose from {', '.join(CUTS)}.")
    return wanted


def checked_form(crops_as: CropsAs | None, dataset: str | os.PathLike[str]) -> CropsAs | None:
    """The form of crops that is asked for. In a bucket, crops are always in tar shards.

    Raises UsageError `unknown_form` and `files_in_bucket`.
    """
    if crops_as not in (None, *get_args(CropsAs)):
        raise UsageError("unknown_form", f"Crops cannot be written as {crops_as!r}; choose files or shards.")
    if bucket_of(dataset) is None:
        return crops_as
    if crops_as == "files":
        message = "In buckets, crops are in tar shards; leave out --crops-as files (crops_as)."
        raise UsageError("files_in_bucket", message)
    return "shards"


def check_marked(marked: bool, policy: Policy, alone: Policy) -> None:
    """Check that marked pictures can show the verdicts, which some rules change after all pictures were read.

    Raises UsageError `marked_too_early`.
    """
    if marked and alone != policy:
        raise UsageError(
            "marked_too_early",
            f"The rule on {policy.rules[len(alone.rules)].measure!r} compares all faces, so verdicts are known only "
            "after the pictures were marked. Build without --marked and --marked-video, or without that rule and judge "
            "the dataset again: facesieve sieve DATASET -o NEW, with the rule.",
        )


def tar_bytes_of(root: Path, form: CropsAs | None, sources: int, settings: Settings) -> int | None:
    """The size of the tar files of crops; None for one file per crop. An existing dataset keeps its form and size."""
    before = recorded_options(Layout(root))
    form = form or (before.crops_as if before else "shards" if sources > settings.most_crop_files else "files")
    if form == "files":
        return None
    return (before.tar_bytes if before else None) or settings.tar_bytes
