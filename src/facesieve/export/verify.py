"""Reads an export back with other code than wrote it, and compares every face with the dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import ValidationError

from facesieve.dataset.disk.json_file import read_json
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.manifests import open_manifests
from facesieve.errors import DatasetError
from facesieve.export.export import ABOUT, ExportProgress, digest_of, make_plan
from facesieve.export.format import Item
from facesieve.export.pictures import pictures
from facesieve.export.plan import Plan
from facesieve.export.spec import ExportSpec
from facesieve.processes.cores import cores
from facesieve.run.claim import kept_from_changes
from facesieve.settings import Settings


def verify_export(
    root: Path,
    output: Path,
    settings: Settings,
    watch: Callable[[ExportProgress], None],
    pictures: Path | None = None,
) -> int:
    """Compare every face of an export with the dataset in `root`. Returns how many there are.

    pictures: where the source pictures are now, if crops of another size are compared and they have moved.

    Raises DatasetError `not_an_export`, `other_dataset` if the dataset has changed since, and `damaged_export`, which
    names the first difference.
    """
    if not (output / ABOUT).is_file():
        raise DatasetError("not_an_export", f"{output} has no {ABOUT}, so it is not an export.")
    with kept_from_changes(Layout(root)):
        dataset, about = open_manifests(root), read_json(output / ABOUT)
        if about.get("dataset") != digest_of(dataset):
            raise DatasetError("other_dataset", f"{output} is not an export of {root} as it is now. Export it again.")
        try:
            spec = ExportSpec.model_validate(about["spec"])
        except (ValidationError, KeyError) as error:
            raise _damaged(output, f"{ABOUT} is not what was written") from error
        plan = make_plan(dataset, spec, settings.model_copy(update={"export_shard": about["batch"]}), pictures)
        return _compare(plan, output, watch)


def _compare(plan: Plan, output: Path, watch: Callable[[ExportProgress], None]) -> int:
    total, done = int(plan.selection.taken.sum()), 0
    watch(ExportProgress(total))
    try:
        with ThreadPoolExecutor(cores()) as pool:
            for expected, found in zip_longest(_expected(plan, pool), plan.kind.read(output, plan)):
                _check(expected, found, plan, output)
                done += 1
                if done % plan.batch == 0 or done == total:
                    watch(ExportProgress(total, done))
    except (OSError, ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
        raise _damaged(output, str(error)) from error
    return done


def _expected(plan: Plan, pool: ThreadPoolExecutor) -> Iterator[Item]:
    for batch in plan.batches():
        files = pictures(batch.rows, plan, pool)
        for face_id, number in zip(batch.rows["face_id"].to_pylist(), batch.rows["class"].to_pylist(), strict=True):
            yield Item(batch.split, face_id, number, next(files, None))


def _check(expected: Item | None, found: Item | None, plan: Plan, output: Path) -> None:
    if expected is None or found is None:
        raise _damaged(output, f"it has {'more' if expected is None else 'fewer'} faces than it should")
    if expected[:3] != found[:3]:
        raise _damaged(output, f"face {expected.face_id} of {expected.split} is not where it should be")
    if expected.data is None or found.data is None:
        return
    if not np.array_equal(_pixels(expected.data), _pixels(found.data)):
        raise _damaged(output, f"the picture of face {expected.face_id} of {expected.split} has other pixels")


def _pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The pixels as Pillow decodes them, because OpenCV encoded them."""
    with Image.open(BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def _damaged(output: Path, why: str) -> DatasetError:
    return DatasetError("damaged_export", f"{output} is not what was exported: {why}. Export it again.")
