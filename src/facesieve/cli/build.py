"""`facesieve build`: photos in, dataset out."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facesieve.errors import UsageError
from facesieve.stop import Stopped

if TYPE_CHECKING:
    from facesieve.dataset.files import Outputs
    from facesieve.records import Source
    from facesieve.run.build import Built
    from facesieve.settings import Settings
    from facesieve.sieve import Policy
    from facesieve.sources import Found, SourceOptions


class LabelFrom(StrEnum):
    none = "none"
    folder = "folder"
    top_folder = "top-folder"


def build(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Files, folders, globs, .zip and .tar archives, lists of paths."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DATASET", help="Folder of the dataset.")],
    label_from: Annotated[
        LabelFrom,
        typer.Option(
            help="Label faces with the folder that their picture lies in, or with the first folder below SOURCE."
        ),
    ] = LabelFrom.none,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Rules: reference, strict, lenient, or a TOML file.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="LIMIT=VALUE", help="Change a limit of the policy: max_yaw=30."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--setting", metavar="NAME=VALUE", help="Change a setting: crop_size=160."),
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="TOML file of settings.")
    ] = None,
    keep_rejected: Annotated[bool, typer.Option("--keep-rejected", help="Write crops of rejected faces too.")] = False,
    crops: Annotated[
        str, typer.Option(metavar="face,head", help="Add unaligned crops: the face's box, the head with a margin.")
    ] = "",
    marked: Annotated[bool, typer.Option("--marked", help="Add the pictures with boxes and numbers drawn.")] = False,
    workers: Annotated[
        str | None, typer.Option(metavar="N|auto", help="Processes to work with; auto is one a core.")
    ] = None,
    min_face_size: Annotated[
        str | None, typer.Option(metavar="PIXELS", help="Smallest face to search for; 40 costs less than half of 20.")
    ] = None,
    turns: Annotated[
        str | None,
        typer.Option(metavar="1|4", help="4 also searches pictures that lie on their side or head, and turns them."),
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="cpu|cuda", help="Where networks run.")] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow links that lead out of the named folder.")
    ] = False,
    include_hidden: Annotated[
        bool,
        typer.Option("--include-hidden", help="Take hidden files and folders, and those of trash and NAS systems."),
    ] = False,
    archive_encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoding of names in old archives: gbk, shift_jis, cp437.")
    ] = None,
    path_column: Annotated[str | None, typer.Option(metavar="NAME", help="Column of paths in lists.")] = None,
    label_column: Annotated[str | None, typer.Option(metavar="NAME", help="Column of labels in lists.")] = None,
    list_encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoding of lists that are not Unicode: cp1252, gbk, shift_jis.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove what is in the dataset but gone from the named sources.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress, only the last line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
) -> None:
    """Photos in, dataset out.

    Finds, measures, aligns and judges every face, and writes crops, manifests and a contact sheet.

    Run again with the same options, it adds what is new. Exits 1 when no picture could be read.
    """
    from facesieve.cli.choices import choose_policy, choose_settings

    options = {"workers": workers, "min_face_size": min_face_size, "turns": turns, "device": device}
    chosen = [*(given or []), *(f"{name}={value}" for name, value in options.items() if value)]
    settings = choose_settings(settings_file, chosen)
    call_workers(sources, settings)
    from facesieve.dataset.files import Outputs

    outputs = Outputs(keep_rejected, _cuts(crops), marked)
    rules = choose_policy(policy, changes or [])
    from facesieve.sources import SourceOptions

    wanted = SourceOptions(
        label_from.value, follow_links, include_hidden, archive_encoding, path_column, label_column, list_encoding
    )
    found = look(sources, output, settings, wanted)
    built = make(found.sources, output, settings, rules, outputs, label_from, quiet, sources, prune)
    _sum_up(built, found, output, quiet, as_json)
    if not built.readable:
        raise typer.Exit(1)


def _sum_up(built: Built, found: Found, output: Path, quiet: bool, as_json: bool) -> None:
    _tell_changes(built)
    if as_json:
        beside = {
            "pictures_with_several_kept_faces_under_one_label": built.shared_labels,
            "left_out": found.left_out.plain(),
            "notes": found.notes,
            "damaged": len(built.damaged),
            "gone": len(built.gone),
            "pruned": built.pruned,
        }
        typer.echo(json.dumps({"dataset": str(output), **built.counts.plain(), **beside}))
        return
    if built.shared_labels:
        typer.echo(_shared(built.shared_labels), err=True)
    if not quiet:
        typer.echo(f"look at {output / 'contact_sheet.html'}")
    typer.echo(built.counts.line())


def _shared(pictures: int) -> str:
    some = "1 picture has" if pictures == 1 else f"{pictures} pictures have"
    return (
        f"note: {some} several kept faces under one label; where a label is one person, crop them to that person "
        "(pictures.parquet: label set and kept above 1)"
    )


def _tell_changes(built: Built) -> None:
    """What was not as the last build left it, on stderr."""
    from facesieve.dataset.named import some

    if built.damaged:
        typer.echo(f"missing or not whole: {some(built.damaged)}; their pictures were done again", err=True)
    if built.gone:
        verb = "removed" if built.pruned else "kept in the dataset (--prune removes them)"
        typer.echo(f"gone from the sources: {some(built.gone)}; {verb}", err=True)


def call_workers(sources: list[str], settings: Settings) -> None:
    """Let workers import, where there may be some, beside all that this process has to do before they can begin."""
    from facesieve.run.plan import WORTH_A_WORKER

    # A file is one picture as a rule; how many a folder or a glob holds is not known yet.
    pictures = sum(1 if os.path.isfile(source) else 2 * WORTH_A_WORKER for source in sources)  # noqa: PTH113 - any text
    _call(pictures, settings)


def _call(pictures: int, settings: Settings) -> None:
    from facesieve.processes.forkserver import start_forkserver
    from facesieve.run.plan import PRELOAD, workers

    if workers(settings, pictures) > 1:
        start_forkserver(PRELOAD)


def look(sources: list[str], output: Path, settings: Settings, options: SourceOptions) -> Found:
    """The pictures behind the arguments; what was left out and what the user should know is one line each on stderr.

    Also starts workers when many pictures turn out to be inside an archive or list.
    """
    from facesieve.sources import search

    found = search(sources, settings, options, leave_out=[output])
    for line in found.lines():
        typer.echo(line, err=True)
    _call(len(found.sources), settings)
    return found


def make(
    found: list[Source],
    output: Path,
    settings: Settings,
    policy: Policy,
    outputs: Outputs,
    label_from: LabelFrom,
    quiet: bool,
    named: Sequence[str] = (),
    prune: bool = False,
) -> Built:
    """Build with the real pipeline, showing progress on stderr. Raises Stopped, saying how to continue."""
    from facesieve.cli.show import showing
    from facesieve.detect import load_networks
    from facesieve.models.store import Store
    from facesieve.pipeline import Pipeline
    from facesieve.quality import MEASURES
    from facesieve.run.build import Making
    from facesieve.run.build import build as run
    from facesieve.run.claim import check

    check(output)
    if settings.device != "cpu":
        load_networks(settings, Store(settings))  # a GPU that cannot be used ends it before anything is written
    try:
        options = {"label_from": label_from.value}
        making = Making(
            settings,
            tuple(measure.name for measure in MEASURES),
            outputs,
            policy.describe(),
            _models(settings),
            options,
        )
        offline = settings.model_copy(update={"offline": True})  # the models are in the cache by now
        with showing(quiet) as watch:
            return run(found, output, partial(Pipeline, offline, policy), making, watch, named, prune)
    except Stopped as stopped:
        remark = f"what was finished is kept, and the same command continues {output}"
        raise Stopped(stopped.number, remark) from None


def _models(settings: Settings) -> dict[str, str]:
    """Sha256 of every model file that the settings use, by model and part; the files are there and verified."""
    from facesieve.models.catalog import catalog
    from facesieve.models.store import Store

    store = Store(settings)
    used = [name for name in ("mtcnn", settings.pose) if name in catalog()]
    for name in used:
        store.load(name)
    return {f"{name}/{part}": digest for name in used for part, digest in store.digests(name).items()}


def _cuts(crops: str) -> tuple[str, ...]:
    from facesieve.dataset.files import CUTS

    wanted = tuple(sorted({crop.strip() for crop in crops.split(",")} - {""}))
    unknown = [crop for crop in wanted if crop not in CUTS]
    if unknown:
        raise UsageError("unknown_crop", f"There is no crop {unknown[0]!r}; --crops takes {', '.join(CUTS)}.")
    return wanted
