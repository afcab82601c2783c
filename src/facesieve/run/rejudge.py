"""Judges a finished dataset again by its raw numbers. No picture is read and no network runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.commit import settle, whole, writing
from facesieve.dataset.count import Books, Counts
from facesieve.dataset.layout import Layout, crop_name, cut_name
from facesieve.dataset.matched import matched
from facesieve.dataset.merge import Block
from facesieve.dataset.origin import RecordedPolicy
from facesieve.dataset.read import Manifests
from facesieve.dataset.schema import face_schema, picture_schema
from facesieve.dataset.sums import write_sums
from facesieve.errors import DatasetError
from facesieve.records import Measures, Verdict
from facesieve.run.claim import check_writable, other_files
from facesieve.run.ledger import Ledger
from facesieve.run.publish import publish_dataset
from facesieve.settings import Settings
from facesieve.sieve import Policy

Judge = Callable[[Measures], Sequence[Verdict]]


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A dataset under other rules. Its rows are computed when they are needed, some thousands at a time.

    before, after: the counts of both. newly_kept, newly_rejected: how many faces have another verdict now.
    without_crop: how many kept faces have no crop, because crops of rejected faces were not written by the build.
    """

    dataset: Manifests
    judge: Judge
    before: Counts
    after: Counts
    newly_kept: int
    newly_rejected: int
    without_crop: int

    def blocks(self) -> Iterator[tuple[Block, Block]]:
        """Yields blocks of faces and pictures, each as it was before and under the new rules."""
        return _judged(self.dataset, self.judge)

    @property
    def faces(self) -> pa.Table:
        """All rows of `faces` under the new rules, in memory."""
        schema = face_schema(self.dataset.about.origin.measures)
        return pa.concat_tables([schema.empty_table(), *(new[0] for _, new in self.blocks())])

    @property
    def pictures(self) -> pa.Table:
        """All rows of `pictures` under the new rules, in memory."""
        return pa.concat_tables([picture_schema().empty_table(), *(new[1] for _, new in self.blocks())])


def rejudge(dataset: Manifests, judge: Judge) -> Rejudged:
    """Judge every face again. judge: called with the measures of some thousands of faces at a time, in order."""
    before, after = Books(), Books()
    newly_kept = newly_rejected = without_crop = 0
    for old, new in _judged(dataset, judge):
        before.add(*old)
        after.add(*new)
        was, now = (np.asarray(faces["kept"], bool) for faces, _ in (old, new))
        newly_kept += int((now & ~was).sum())
        newly_rejected += int((was & ~now).sum())
        without_crop += int((now & ~np.asarray(pc.is_valid(new[0]["file_name"]))).sum())
    return Rejudged(dataset, judge, before.counts(), after.counts(), newly_kept, newly_rejected, without_crop)


def write_rejudged(dataset: Manifests, new: Rejudged, root: Path, policy: Policy, settings: Settings) -> None:
    """Write a new dataset with the new verdicts. The old one stays as it is; its crops are linked or copied.

    Marked pictures are left out, because they show the old verdicts.
    Raises DatasetError when `root` is not new or empty, or when the disk refuses.
    """
    if root.is_dir() and other_files(root):
        raise DatasetError("not_empty", f"{root} is not empty. Choose a new folder.")
    check_writable(root)
    old, layout = dataset.layout, Layout(root)
    cuts = dataset.about.origin.options.crops
    sums = (Ledger(old).sums(number) for number in old.numbers(old.sums))
    files = new.after.faces * (1 + len(cuts))
    for number, (now, known) in enumerate(matched(_linked(new, root, cuts), sums, files, layout.scratch)):
        theirs = {now[name]: one for name, one in known.items() if name in now}  # a file without a checksum gets none
        write_sums(theirs, layout.sums_of(number), layout.scratch)
    settle([layout.sums_of(0)], root)
    before = dataset.about.origin
    options = before.options.model_copy(update={"marked": False})
    origin = before.model_copy(update={"policy": RecordedPolicy(**policy.describe()), "options": options})
    publish_dataset((block for _, block in new.blocks()), layout, origin, settings)
    with writing(layout.scratch):
        layout.scratch.rmdir()


def _judged(dataset: Manifests, judge: Judge) -> Iterator[tuple[Block, Block]]:
    keep_rejected = dataset.about.origin.options.keep_rejected
    for old, pictures in dataset.blocks():
        verdicts = judge(dataset.measures(old))
        kept = pa.array([verdict.kept for verdict in verdicts], pa.bool_())
        reasons = pa.array([verdict.reasons for verdict in verdicts], pa.list_(pa.string()))
        faces = _with(_with(old, "kept", kept), "reasons", reasons)
        faces = _with(faces, "file_name", _file_names(faces, keep_rejected))
        yield (old, pictures), (faces, _with(pictures, "kept", _kept_each(faces, pictures)))


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)


def _file_names(faces: pa.Table, keep_rejected: bool) -> pa.Array:
    """The name of each face's crop in the new dataset; null if there was no crop, or none is wanted."""
    columns = zip(*(faces[name].to_pylist() for name in ("label", "face_id", "kept", "file_name")), strict=True)
    names = [
        crop_name(label, face_id, kept) if was and (kept or keep_rejected) else None
        for label, face_id, kept, was in columns
    ]
    return pa.array(names, pa.string())


def _kept_each(faces: pa.Table, pictures: pa.Table) -> pa.Array:
    owner = np.repeat(np.arange(len(pictures)), np.asarray(pictures["faces"]))
    kept = np.asarray(faces["kept"], bool)
    return pa.array(np.bincount(owner[kept], minlength=len(pictures)).astype(np.int32))


def _files(new: Rejudged, cuts: Sequence[str]) -> Iterator[dict[str, str]]:
    """New names of the files that the new dataset gets from the old one, by their old names, in blocks."""
    for (old, _), (faces, _) in new.blocks():
        pairs = zip(old["file_name"].to_pylist(), faces["file_name"].to_pylist(), strict=True)
        written = faces.filter(pc.is_valid(faces["file_name"]))
        ids = list(zip(written["label"].to_pylist(), written["face_id"].to_pylist(), strict=True))
        same = (cut_name(what, *face) for what in cuts for face in ids)
        yield {was: now for was, now in pairs if was and now} | {name: name for name in same}
    layout = new.dataset.layout
    yield {name: name for name in map(layout.name_of, map(layout.thumbs_of, layout.numbers(layout.thumbs)))}


def _linked(new: Rejudged, root: Path, cuts: Sequence[str]) -> Iterator[dict[str, str]]:
    """As `_files`, but each file is linked or copied, and durable, before its name is yielded."""
    for pairs in _files(new, cuts):
        for was, now in pairs.items():
            _link(new.dataset.layout.root / was, root / now, Layout(root).scratch)
        settle((root / name for name in pairs.values()), root)
        yield pairs


def _link(old: Path, new: Path, scratch: Path) -> None:
    """Link a file under a new name, or copy it if the file system cannot link. Raises DatasetError if it is missing."""
    with writing(new):
        new.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(old, new)
        except FileNotFoundError as error:
            raise DatasetError(
                "missing_crop",
                f"{old} is missing, although the manifest names it. Run `facesieve check` on its dataset.",
            ) from error
        except OSError:
            with whole(new, scratch) as stream:
                stream.write(old.read_bytes())
