"""Judge a finished dataset again from its raw numbers: no picture is read and no network runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.commit import settle, whole, writing
from facesieve.dataset.count import Counts, count
from facesieve.dataset.layout import Layout, crop_name, cut_name
from facesieve.dataset.origin import RecordedPolicy
from facesieve.dataset.read import Manifests
from facesieve.dataset.sums import write_sums
from facesieve.errors import DatasetError
from facesieve.records import Measures, Verdict
from facesieve.run.claim import check, others
from facesieve.run.ledger import Ledger
from facesieve.run.publish import publish_dataset
from facesieve.settings import Settings
from facesieve.sieve import Policy

Judge = Callable[[Measures], Sequence[Verdict]]


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A dataset under other rules.

    before, after: the books of both. newly_kept, newly_rejected: faces whose verdict turned.
    without_crop: kept faces that have no crop, because rejected ones were not written when the dataset was built.
    """

    faces: pa.Table
    pictures: pa.Table
    before: Counts
    after: Counts
    newly_kept: int
    newly_rejected: int
    without_crop: int


def rejudge(dataset: Manifests, judge: Judge) -> Rejudged:
    """New verdicts for every face."""
    old = dataset.faces
    verdicts = judge(dataset.measures())
    kept = pa.array([verdict.kept for verdict in verdicts], pa.bool_())
    reasons = pa.array([verdict.reasons for verdict in verdicts], pa.list_(pa.string()))
    faces = _with(_with(old, "kept", kept), "reasons", reasons)
    faces = _with(faces, "file_name", _file_names(faces, dataset.about.origin.options.keep_rejected))
    pictures = _with(dataset.pictures, "kept", _kept_each(faces, dataset.pictures))
    was, now = np.asarray(old["kept"], bool), np.asarray(kept, bool)
    return Rejudged(
        faces,
        pictures,
        count(old, dataset.pictures),
        count(faces, pictures),
        newly_kept=int((now & ~was).sum()),
        newly_rejected=int((was & ~now).sum()),
        without_crop=int((now & ~np.asarray(pc.is_valid(faces["file_name"]))).sum()),
    )


def write_rejudged(dataset: Manifests, new: Rejudged, root: Path, policy: Policy, settings: Settings) -> None:
    """Write a new dataset with the new verdicts: crops linked (or copied) from the old one, which stays as it is.

    Marked pictures show the old verdicts and are not taken over.
    Raises DatasetError when `root` is not new or empty, or where the disk refuses.
    """
    if root.is_dir() and others(root):
        raise DatasetError("not_empty", f"{root} exists already; name a new folder.")
    check(root)
    layout = Layout(root)
    names = [*_crops(dataset, new), *_cuts(dataset, new), *_thumbs(dataset.layout)]
    for old_name, new_name in names:
        _link(dataset.layout.root / old_name, root / new_name, layout.scratch)
    settle([root / name for _, name in names], root)
    _sum_up(dataset.layout, names, layout)
    before = dataset.about.origin
    options = before.options.model_copy(update={"marked": False})
    origin = before.model_copy(update={"policy": RecordedPolicy(**policy.describe()), "options": options})
    publish_dataset(new.faces, new.pictures, layout, origin, settings.sheet_faces)
    with writing(layout.scratch):
        layout.scratch.rmdir()


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)


def _file_names(faces: pa.Table, keep_rejected: bool) -> pa.Array:
    """Where each face's crop belongs now; null where there was none, or none is wanted."""
    columns = zip(*(faces[name].to_pylist() for name in ("label", "face_id", "kept", "file_name")), strict=True)
    names = [
        crop_name(label, face_id, kept) if was and (kept or keep_rejected) else None
        for label, face_id, kept, was in columns
    ]
    return pa.array(names, pa.string())


def _kept_each(faces: pa.Table, pictures: pa.Table) -> pa.Array:
    owner = np.asarray(pc.index_in(faces["source"], pictures["source"].combine_chunks()), np.int64)
    kept = np.asarray(faces["kept"], bool)
    return pa.array(np.bincount(owner[kept], minlength=len(pictures)).astype(np.int32))


def _crops(dataset: Manifests, new: Rejudged) -> Iterable[tuple[str, str]]:
    pairs = zip(dataset.faces["file_name"].to_pylist(), new.faces["file_name"].to_pylist(), strict=True)
    return {(was, now) for was, now in pairs if was and now}


def _cuts(dataset: Manifests, new: Rejudged) -> Iterable[tuple[str, str]]:
    written = new.faces.filter(pc.is_valid(new.faces["file_name"]))
    faces = list(zip(written["label"].to_pylist(), written["face_id"].to_pylist(), strict=True))
    names = {cut_name(what, *face) for what in dataset.about.origin.options.crops for face in faces}
    return {(name, name) for name in names}


def _thumbs(layout: Layout) -> Iterable[tuple[str, str]]:
    names = [layout.name_of(layout.thumbs_of(number)) for number in layout.numbers(layout.thumbs)]
    return [(name, name) for name in names]


def _sum_up(old: Layout, names: Iterable[tuple[str, str]], new: Layout) -> None:
    """Take over the sums of the files; a file that has none stays without."""
    sums = Ledger(old).all_sums()
    known = {now: sums[was] for was, now in names if was in sums}
    write_sums(known, new.sums_of(0), new.scratch)
    settle([new.sums_of(0)], new.root)


def _link(old: Path, new: Path, scratch: Path) -> None:
    """The same file under another name where the file system can, else a copy; an absent file is an error."""
    with writing(new):
        new.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(old, new)
        except FileNotFoundError as error:
            raise DatasetError("missing_crop", f"{old} is named by the manifest but missing.") from error
        except OSError:
            with whole(new, scratch) as stream:
                stream.write(old.read_bytes())
