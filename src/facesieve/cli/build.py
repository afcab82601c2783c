"""`facesieve build`: photos in, dataset out."""

from __future__ import annotations

import json
import os
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


class LabelFrom(StrEnum):
    none = "none"
    folder = "folder"


def build(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Files, folders, globs, .zip and .tar archives, lists of paths."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DATASET", help="Folder of the dataset.")],
    label_from: Annotated[
        LabelFrom, typer.Option(help="Label faces with the name of the folder that their picture lies in.")
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
    device: Annotated[str | None, typer.Option(metavar="cpu|cuda", help="Where networks run.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress, only the last line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
) -> None:
    """Photos in, dataset out.

    Finds, measures, aligns and judges every face, and writes crops, manifests and a contact sheet.

    Run again with the same options, it adds what is new. Exits 1 when no picture could be read.
    """
    from facesieve.cli.choices import choose_policy, choose_settings

    options = {"workers": workers, "min_face_size": min_face_size, "device": device}
    chosen = [*(given or []), *(f"{name}={value}" for name, value in options.items() if value)]
    settings = choose_settings(settings_file, chosen)
    call_workers(sources, settings)
    from facesieve.dataset.files import Outputs

    outputs = Outputs(keep_rejected, _cuts(crops), marked)
    rules = choose_policy(policy, changes or [])
    found = look(sources, output, settings, label_from)
    built = make(found, output, settings, rules, outputs, label_from, quiet)
    _sum_up(built, output, quiet, as_json)
    if not built.readable:
        raise typer.Exit(1)


def _sum_up(built: Built, output: Path, quiet: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"dataset": str(output), **built.counts.plain()}))
        return
    if not quiet:
        typer.echo(f"look at {output / 'contact_sheet.html'}")
    typer.echo(built.counts.line())


def call_workers(sources: list[str], settings: Settings) -> None:
    """Let workers import, where there may be some, beside all that this process has to do before they can begin."""
    from facesieve.run.plan import WORTH_A_WORKER

    # A file is one picture as a rule; how many a folder or a glob holds is not known yet.
    pictures = sum(1 if os.path.isfile(source) else 2 * WORTH_A_WORKER for source in sources)  # noqa: PTH113 - any text
    _call(pictures, settings)


def _call(pictures: int, settings: Settings) -> None:
    from facesieve.run.nursery import prepare
    from facesieve.run.plan import workers

    if workers(settings, pictures) > 1:
        prepare()


def look(sources: list[str], output: Path, settings: Settings, label_from: LabelFrom) -> list[Source]:
    """The pictures behind the arguments. Who was not called yet, because they are in an archive or a list, is now."""
    from facesieve.sources import find

    found = find(sources, settings, label_from.value, leave_out=[output])
    _call(len(found), settings)
    return found


def make(
    found: list[Source],
    output: Path,
    settings: Settings,
    policy: Policy,
    outputs: Outputs,
    label_from: LabelFrom,
    quiet: bool,
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
            return run(found, output, partial(Pipeline, offline, policy), making, watch)
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
