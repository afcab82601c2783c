"""Adds embeddings to a finished dataset, from its crops alone, and removes them again."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from facesieve.dataset.about import read_about, read_made, write_made
from facesieve.dataset.disk.checksums import Checksums
from facesieve.dataset.disk.format import embedded_with, with_embedded
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.replace import remove_published_checksums
from facesieve.dataset.origin import IdentityModel, InferenceEngine, Origin, versions
from facesieve.dataset.tables.embeddings import stored_columns
from facesieve.dataset.tables.named_files import NAMING_COLUMNS
from facesieve.dataset.tables.nested import with_face_columns
from facesieve.dataset.tables.resolve import ResolvedPart, resolve, with_part_schema
from facesieve.dataset.tables.schema import EMBEDDING_FIELDS, part_schema
from facesieve.errors import DatasetError, SettingsError
from facesieve.identity.crop_settings import check_crops
from facesieve.records import EMBEDDING_SIZE, TEMPLATE_SIZE, Embeddings, Mask, NoEmbedding, Pixels
from facesieve.run.claim import is_locked, lock_dataset
from facesieve.run.inference import engines_of, identity_model, resolved
from facesieve.run.ledger import Ledger
from facesieve.run.publish import publish_ledger
from facesieve.run.stored_crops import StoredCrops, checksums_of_crops
from facesieve.settings import Settings
from facesieve.stop import Stopped

if TYPE_CHECKING:
    from facesieve.models.store import Announce

BATCH = 64  # crops in memory at a time

Embed = Callable[[Pixels], Embeddings]


@dataclass(frozen=True, slots=True)
class Identified:
    """What `identify` did.

    model: the name of the model, or `none`. faces: how many rows the dataset has. embedded: how many of them have an
    embedding. new: how many crops were read by this call. missing: how many faces have none, by reason.
    """

    model: str
    faces: int
    embedded: int
    new: int
    missing: dict[str, int]


@dataclass(frozen=True, slots=True)
class IdentifyProgress:
    """How many crops of `total` are `done`. Crops that an earlier call finished are not part of `total`."""

    total: int
    done: int = 0


def identify(
    dataset: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    watch: Callable[[IdentifyProgress], None] = lambda progress: None,
    announce: Announce | None = None,
) -> Identified:
    """Add embeddings to a dataset that was built without, from its crops alone.

    Faces without a crop get none: those that were rejected, if the build did not keep their crops. The result is the
    dataset that a build with the same setting would have written. After an interruption, call it again to go on.

    dataset: the folder. settings: `identity` names the model; `none` removes all embeddings. None takes the environment
    and the defaults.
    watch: called with the progress, before the first crop and after every batch. announce: called with one line if the
    model is fetched; None prints it to stderr.
    Raises DatasetError when the folder is not a finished dataset, has no ledger, is in use, has embeddings of another
    model, has crops of another alignment, or has a damaged crop; ModelError when the model is missing.
    """
    settings = resolved(settings or Settings.load())
    layout = Layout(Path(dataset))
    _check_finished(layout)
    with lock_dataset(layout):
        before = read_made(layout)
        origin, embed = _prepared(before, settings, layout, announce)
        new = _rewrite_parts(Ledger(layout), before, origin, embed, watch)
        if origin != before:
            remove_published_checksums(layout)
            write_made(origin, layout)
        if new or origin != before or not _is_published(layout, origin):
            with resolve(Ledger(layout).tables, layout.scratch) as found:
                publish_ledger(Ledger(layout), found, origin, settings)
    return _summary(layout, origin, new)


def _check_finished(layout: Layout) -> None:
    root = layout.root
    if layout.made.exists() and not layout.about.exists():
        if is_locked(layout):
            raise DatasetError("in_use", f"A build is writing to {root}. Wait until it has ended.")
        raise DatasetError("unfinished", f"{root} is unfinished. Run the same build again to finish it.")
    read_about(layout)
    if not layout.made.exists():
        raise DatasetError(
            "not_continuable",
            f"{root} has no ledger. Identify the dataset that it was judged from, and judge that one again.",
        )


def _prepared(
    before: Origin, settings: Settings, layout: Layout, announce: Announce | None
) -> tuple[Origin, Embed | None]:
    """The new origin of the dataset, and what computes its embeddings; None if none are to be computed."""
    root = layout.root
    if settings.identity == "none":
        return before.model_copy(update={"identity": None, "engines": _engines_without_identity(before)}), None
    _check_crops(before, settings, root)
    from facesieve.identity.embedder import Embedder  # ONNX Runtime takes a while to import
    from facesieve.models.store import Store, tell

    if before.identity and before.identity.model != settings.identity:
        raise _other_model(root, before.identity, settings.identity)
    store = Store(settings, announce or tell)
    embedder = Embedder(settings, store)
    model = identity_model(settings, store)
    assert model
    if before.identity and before.identity != model:
        raise _other_model(root, before.identity, f"other weights of {model.model}")
    if before.identity and not _parts_without(Ledger(layout), model.sha256):
        return before, None
    engines = tuple(engine for engine in engines_of(settings) if engine.network == model.model)
    new = before.model_copy(
        update={
            "identity": model,
            "engines": engines,
            "versions": {name: (held,) for name, held in versions().items()},
        }
    )
    return new.joined(before), embedder


def _engines_without_identity(origin: Origin) -> tuple[InferenceEngine, ...]:
    name = origin.identity.model if origin.identity else ""
    return tuple(engine for engine in origin.engines if engine.network != name)


def _other_model(root: Path, before: IdentityModel, now: str) -> DatasetError:
    return DatasetError(
        "other_identity",
        f"{root} has embeddings of {before.model}, not of {now}. Remove them first: facesieve identify {root} "
        "--identity none",
    )


def _check_crops(origin: Origin, settings: Settings, root: Path) -> None:
    """Raise DatasetError if the crops of the dataset are not of a kind that the networks can use."""
    made: dict[str, Any] = {
        name: origin.settings[name] for name in ("alignment", "crop_size") if name in origin.settings
    }
    try:
        check_crops(settings.model_copy(update=made))
    except SettingsError as error:
        raise DatasetError("other_crops", f"{root} was built with other crops. {error.message}") from error


def _rewrite_parts(
    ledger: Ledger,
    before: Origin,
    origin: Origin,
    embed: Embed | None,
    watch: Callable[[IdentifyProgress], None],
) -> int:
    """Write the embeddings into every part that lacks them, or remove them. Returns how many crops were read.

    Each part is replaced in one step, and its metadata names the model. So a part is either done or as it was.
    """
    todo = _parts_without(ledger, origin.embedded_with)
    if embed is None:
        for number in sorted(todo):
            table, with_clips = ledger.table(number), before.clips is not None
            plain = with_part_schema(table, before.measures, before.options.outputs.in_tars, clips=with_clips)
            ledger.rewrite(number, with_embedded(plain, ""))
        watch(IdentifyProgress(0))
        return 0
    progress = IdentifyProgress(sum(_crops_in(ledger.table(number, NAMING_COLUMNS)) for number in todo))
    watch(progress)
    try:
        for count in _embed_parts(ledger, todo, origin, embed):
            progress = IdentifyProgress(progress.total, progress.done + count)
            watch(progress)
    except Stopped as stopped:
        raise Stopped(stopped.number, f"{progress.done} of {progress.total} crops were read") from None
    return progress.done


def _parts_without(ledger: Ledger, model: str) -> set[int]:
    """The numbers of the parts that do not have the embeddings of a model. model: its sha256; "" for no embeddings."""
    return {number for number in ledger.numbers() if embedded_with(ledger.table(number, [])) != model}


def _embed_parts(ledger: Ledger, todo: Collection[int], origin: Origin, embed: Embed) -> Iterator[int]:
    """Compute the embeddings of these parts. Yields the number of crops of every batch."""
    if not todo:
        return
    crops = StoredCrops(ledger.layout, origin.options.outputs, _crop_size(origin))
    with resolve(ledger.tables, ledger.layout.scratch) as found:
        parts = zip(ledger.numbers(), found.resolved(ledger.tables(NAMING_COLUMNS)), strict=True)
        for number, part in parts:
            if number in todo:
                yield from _embed_part(ledger, number, part, origin, embed, crops)


def _crops_in(rows: pa.Table) -> int:
    files = rows["faces"].combine_chunks().flatten().field("file_name")
    return len(files) - int(files.null_count)


def _crop_size(origin: Origin) -> int:
    return int(str(origin.settings.get("crop_size", TEMPLATE_SIZE)))


def _embed_part(
    ledger: Ledger, number: int, part: ResolvedPart, origin: Origin, embed: Embed, crops: StoredCrops
) -> Iterator[int]:
    """Compute the embeddings of one part, and write it. part: its file names, and which rows count."""
    rows = ledger.table(number)
    nested = rows["faces"].combine_chunks()
    names = nested.flatten().field("file_name").to_pylist()
    counts = _counts_of_faces(part, nested)
    vectors = np.zeros((len(names), EMBEDDING_SIZE), np.float16)
    missing = np.full(len(names), NoEmbedding.NO_CROP.value, object)
    written = [row for row, name in enumerate(names) if name is not None]
    sums = checksums_of_crops(nested.flatten()) if origin.options.outputs.in_tars else ledger.sums(number)
    for start in range(0, len(written), BATCH):
        batch = written[start : start + BATCH]
        read = {row: _crop(names[row], sums, crops, bool(counts[row])) for row in batch}
        whole = {row: crop for row, crop in read.items() if crop is not None}
        missing[batch] = NoEmbedding.NOT_COMPUTED.value
        if whole:
            found, there = embed(np.stack(list(whole.values()))), list(whole)
            vectors[there], missing[there] = found.vectors, found.missing
        yield len(batch)
    table = _with_embeddings(rows, Embeddings(vectors, tuple(missing.tolist())), origin)
    ledger.rewrite(number, with_embedded(table, origin.embedded_with))


def _crop(name: str, sums: Checksums, crops: StoredCrops, counts: bool) -> Pixels | None:
    """The crop of a face. If the row of the face does not count, a crop that is damaged or missing is None."""
    try:
        crop = crops.read(name, sums.get(name, frozenset()))
    except DatasetError:
        if counts:
            raise
        return None
    if crop is None and counts:
        raise crops.damaged(name, "missing")
    return crop


def _counts_of_faces(part: ResolvedPart, nested: pa.ListArray) -> Mask:
    """For each face of a part, whether its row counts: no later row replaces it, and its picture is no duplicate."""
    row_counts = part.counts & np.asarray(part.rows["refusal"].is_null())
    lengths = np.asarray(nested.value_lengths().fill_null(0))
    return np.repeat(row_counts, lengths)


def _with_embeddings(rows: pa.Table, found: Embeddings, origin: Origin) -> pa.Table:
    """The rows of a part, with the embeddings in each face."""
    in_tars, with_clips = origin.options.outputs.in_tars, rows["faces"].type.value_type.get_field_index("frame") >= 0
    measures = (origin if with_clips else origin.without_clips()).measures
    faces = part_schema(measures, in_tars, embedded=True, clips=with_clips).field("faces")
    columns = zip(EMBEDDING_FIELDS, stored_columns(found), strict=True)
    stored = {field.name: pa.array(values, field.type) for field, values in columns}
    return with_face_columns(rows, stored, faces.type.value_type)


def _is_published(layout: Layout, origin: Origin) -> bool:
    """Whether the published dataset has the embeddings, or their absence, that the ledger has."""
    if read_about(layout).origin.identity != origin.identity:
        return False
    return layout.embeddings.exists() == (origin.identity is not None) and layout.published_sums.exists()


def _summary(layout: Layout, origin: Origin, new: int) -> Identified:
    from facesieve.dataset.manifests import open_manifests

    if origin.identity is None:
        return Identified("none", read_about(layout).counts.faces, 0, 0, {})
    faces = embedded = 0
    missing: dict[str, int] = {}
    for rows in open_manifests(layout.root).embedding_tables(["no_embedding"]):
        reasons = rows["no_embedding"].combine_chunks()
        faces += len(reasons)
        embedded += int(reasons.null_count)
        for count in reasons.drop_null().value_counts().to_pylist():
            missing[count["values"]] = missing.get(count["values"], 0) + count["counts"]
    return Identified(origin.identity.model, faces, embedded, new, dict(sorted(missing.items())))
