"""Judges a finished dataset again from its measures. It reads no picture and runs no network.

    faces, pictures ─ blocks ─ derive: prominence, fitness ─ judge, rule by rule ─ new rows
                                                                ├ relations in one picture, of the block
                                                                └ relations among all faces, computed before

Relations are computed among the faces that passed so far. Blocks are some thousands of faces, and the faces of a
picture are in one block, so memory stays the same at any size. If a rule compares all faces, memory grows by some
hundred bytes per face (`run/relate_all.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.atomic import sync_folders, wrap_write_errors
from facesieve.dataset.disk.checksums import write_checksums
from facesieve.dataset.disk.layout import Layout, crop_name, cut_name
from facesieve.dataset.disk.link import link_file
from facesieve.dataset.manifests import Manifests
from facesieve.dataset.origin import RecordedPolicy
from facesieve.dataset.tables.clip_rows import with_lone_tracks
from facesieve.dataset.tables.counts import Counts, RunningCounts
from facesieve.dataset.tables.join import join_checksums
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.schema import face_schema
from facesieve.errors import DatasetError
from facesieve.records import Floats, Measures
from facesieve.run.claim import check_writable, other_files
from facesieve.run.derive import owners, relations_in_pictures, with_derived_measures
from facesieve.run.ledger import Ledger
from facesieve.run.publish import publish_dataset
from facesieve.run.relate_all import NAMES, RelationsOfAll
from facesieve.settings import Settings
from facesieve.sieve import Judgement, Policy, Relations

Judge = Callable[[Measures, Relations], Judgement]


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A dataset under other rules. Its rows are computed on request, some thousands at a time.

    related: relations among all faces. measures: the names of its measure columns: those of the dataset, then what the
    rules ask for and it lacked.
    before, after: the counts under the old and the new rules. newly_kept, newly_rejected: faces whose verdict changed.
    without_crop: kept faces without a crop, because the build did not write the crops of rejected faces.
    """

    dataset: Manifests
    judge: Judge
    related: RelationsOfAll
    measures: tuple[str, ...]
    before: Counts
    after: Counts
    newly_kept: int
    newly_rejected: int
    without_crop: int

    def blocks(self, embeddings: bool = False) -> Iterator[tuple[Block, Block]]:
        """Yield each block of rows as it was, and under the new rules. embeddings: see `Manifests.blocks`."""
        return _judged(self.dataset, self.judge, self.related, self.measures, embeddings)

    @property
    def faces(self) -> pa.Table:
        """All rows of `faces` under the new rules, in memory."""
        schema = _face_schema(self.dataset, self.measures)
        return pa.concat_tables([schema.empty_table(), *(new.faces for _, new in self.blocks())])

    @property
    def pictures(self) -> pa.Table:
        """All rows of `pictures` under the new rules, in memory."""
        schema = self.dataset.about.origin.picture_schema
        return pa.concat_tables([schema.empty_table(), *(new.pictures for _, new in self.blocks())])


def rejudge(
    dataset: Manifests, judge: Judge, asked: Sequence[str] = (), related: RelationsOfAll | None = None
) -> Rejudged:
    """Judge every face again.

    judge: called with the measures and relations of some thousands of faces at a time, in order. asked: the measures
    that its rules ask for; the result has columns of these even if the dataset has none. related: the relations among
    all faces that its rules ask for.
    """
    related = related or RelationsOfAll()
    recorded = dataset.about.origin.measures
    valid = (name for name in recorded if name not in NAMES or name in asked)  # other rules made the old relations
    measures = tuple(dict.fromkeys((*valid, *asked)))
    before, after = RunningCounts(), RunningCounts()
    newly_kept = newly_rejected = without_crop = 0
    for old, new in _judged(dataset, judge, related, measures):
        before.add(old.faces, old.pictures)
        after.add(new.faces, new.pictures)
        was, now = (np.asarray(block.faces["kept"], bool) for block in (old, new))
        newly_kept += int((now & ~was).sum())
        newly_rejected += int((was & ~now).sum())
        without_crop += int((now & ~np.asarray(pc.is_valid(new.faces["file_name"]))).sum())
    return Rejudged(
        dataset, judge, related, measures, before.counts(), after.counts(), newly_kept, newly_rejected, without_crop
    )


def write_rejudged(dataset: Manifests, new: Rejudged, root: Path, policy: Policy, settings: Settings) -> None:
    """Write a new dataset with the new verdicts. Its crops are hard links to the old ones, or copies.

    Marked pictures show the old verdicts, so they are left out. The old dataset does not change.
    Crops are durable before their checksums are written, and both before the dataset is published.
    Raises DatasetError if `root` is not empty, a crop is missing, or a file cannot be written.
    """
    if root.is_dir() and other_files(root):
        raise DatasetError("not_empty", f"{root} is not empty. Name a new folder.")
    check_writable(root)
    layout, before = Layout(root), dataset.about.origin
    _write_crops(new, layout, before.options.crops)
    options = before.options.model_copy(update={"marked": False})
    recorded = {"policy": RecordedPolicy(**policy.describe()), "options": options, "measures": new.measures}
    origin = before.model_copy(update=recorded)
    publish_dataset((block for _, block in new.blocks(embeddings=True)), layout, origin, settings)
    with wrap_write_errors(layout.scratch):
        layout.scratch.rmdir()


def _write_crops(new: Rejudged, layout: Layout, cuts: Sequence[str]) -> None:
    """Put the crops and thumbnails in place, then write their checksums."""
    old = new.dataset.layout
    sums = (Ledger(old).sums(number) for number in old.numbers(old.sums))
    files = new.after.faces * (1 + len(cuts))
    for number, (now, known) in enumerate(join_checksums(_linked(new, layout.root, cuts), sums, files, layout.scratch)):
        checksums = {now[name]: one for name, one in known.items() if name in now}  # some files may have none
        write_checksums(checksums, layout.sums_of(number), layout.scratch)
    sync_folders([layout.sums_of(0)], layout.root)


def _judged(
    dataset: Manifests, judge: Judge, related: RelationsOfAll, names: Sequence[str], embeddings: bool = False
) -> Iterator[tuple[Block, Block]]:
    options, schema, first = dataset.about.origin.options, _face_schema(dataset, names), 0
    gap = dataset.about.origin.shot_gap
    for old in dataset.blocks(embeddings):
        measures = with_derived_measures(dataset.measures(old.faces), old)
        relations = {**relations_in_pictures(measures, old, gap), **related.of_rows(first, len(old.faces))}
        judgement, first = judge(measures, relations), first + len(old.faces)
        faces = _with_measures(old.faces, {**measures.columns, **judgement.relations}, schema)
        faces = with_lone_tracks(faces) if dataset.about.origin.clips else faces
        faces = _with(faces, "kept", pa.array(judgement.kept, pa.bool_()))
        faces = _with(faces, "reasons", pa.array(judgement.reasons(), pa.list_(pa.string())))
        if not options.outputs.in_tars:
            faces = _with(faces, "file_name", _file_names(faces, options.keep_rejected))
        yield old, Block(faces, _with(old.pictures, "kept", _kept_in_pictures(faces, old)), old.embeddings)


def _face_schema(dataset: Manifests, names: Sequence[str]) -> pa.Schema:
    """The columns of `faces` if the dataset has these measures."""
    origin = dataset.about.origin
    return face_schema(names, origin.options.outputs.in_tars, origin.clips is not None)


def _with_measures(faces: pa.Table, columns: Mapping[str, Floats], schema: pa.Schema) -> pa.Table:
    """The rows with these measures. Columns that are new are in their place in the schema; NaN is null."""
    new = {name: columns[name] for name in schema.names if name in columns}
    known = {name: pa.array(column, mask=np.isnan(column)) for name, column in new.items()}
    return pa.table([known[name] if name in known else faces[name] for name in schema.names], schema=schema)


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)


def _file_names(faces: pa.Table, keep_rejected: bool) -> pa.Array:
    """The new file name of each face's crop; null if there was none, or if its verdict now needs none."""
    columns = zip(*(faces[name].to_pylist() for name in ("label", "face_id", "kept", "file_name")), strict=True)
    names = [
        crop_name(label, face_id, kept) if was and (kept or keep_rejected) else None
        for label, face_id, kept, was in columns
    ]
    return pa.array(names, pa.string())


def _kept_in_pictures(faces: pa.Table, old: Block) -> pa.Array:
    """How many faces of each picture are kept now."""
    kept = np.asarray(faces["kept"], bool)
    return pa.array(np.bincount(owners(old)[kept], minlength=len(old.pictures)).astype(np.int32))


def _files(new: Rejudged, cuts: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the old and the new names of the files that the new dataset takes over, some at a time."""
    in_tars, taken = new.dataset.about.origin.options.outputs.in_tars, set[str]()
    for old, block in new.blocks():
        faces = block.faces
        if in_tars:
            shards = set(pc.unique(faces["shard"]).drop_null().to_pylist()) - taken
            taken |= shards
            yield {name: name for name in sorted(shards)}
            continue
        pairs = zip(old.faces["file_name"].to_pylist(), faces["file_name"].to_pylist(), strict=True)
        written = faces.filter(pc.is_valid(faces["file_name"]))
        ids = list(zip(written["label"].to_pylist(), written["face_id"].to_pylist(), strict=True))
        same = (cut_name(what, *face) for what in cuts for face in ids)
        yield {was: now for was, now in pairs if was and now} | {name: name for name in same}
    layout = new.dataset.layout
    yield {name: name for name in map(layout.name_of, map(layout.thumbs_of, layout.numbers(layout.thumbs)))}


def _linked(new: Rejudged, root: Path, cuts: Sequence[str]) -> Iterator[dict[str, str]]:
    """Like `_files`. Each file is in place and durable before its name is yielded."""
    for pairs in _files(new, cuts):
        for was, now in pairs.items():
            link_file(new.dataset.layout.root / was, root / now, Layout(root).scratch)
        sync_folders((root / name for name in pairs.values()), root)
        yield pairs
