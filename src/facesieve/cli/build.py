"""`facesieve build`: photos in, dataset out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from facesieve.cli import build_options as options
from facesieve.errors import UsageError
from facesieve.stop import Stopped

if TYPE_CHECKING:
    from facesieve.run.build_result import BuildResult
    from facesieve.run.progress import Progress


def build(
    sources: options.Sources,
    output: options.Output,
    label_from: options.LabelFrom = "none",
    policy: options.Policy = None,
    changes: options.Changes = None,
    one_per_picture: options.OnePerPicture = False,
    given: options.GivenSettings = None,
    settings_file: options.SettingsFile = None,
    keep_rejected: options.KeepRejected = False,
    crops: options.Crops = "",
    marked: options.Marked = False,
    marked_video: options.MarkedVideo = False,
    crops_as: options.CropsAsOption = None,
    workers: options.Workers = None,
    min_face_size: options.MinFaceSize = None,
    turns: options.Turns = None,
    every: options.Every = None,
    frames: options.Frames = None,
    start: options.Start = None,
    end: options.End = None,
    animated: options.Animated = None,
    identity: options.Identity = None,
    device: options.Device = None,
    follow_links: options.FollowLinks = False,
    include_hidden: options.IncludeHidden = False,
    archive_encoding: options.ArchiveEncoding = None,
    path_column: options.PathColumn = None,
    label_column: options.LabelColumn = None,
    list_encoding: options.ListEncoding = None,
    allow_address: options.AllowAddress = None,
    prune: options.Prune = False,
    allow_again: options.AllowAgain = False,
    on: options.On = None,
    shard: options.Shard = None,
    work_folder: options.WorkFolder = None,
    allow_mixed_engines: options.AllowMixedEngines = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Photos and clips in, dataset out.

    Finds, measures, aligns and judges every face, and writes crops, manifests and a contact sheet.

    Run it again with the same options to add new pictures. Exits 1 when no picture could be read.
    """
    from facesieve.cli.choices import choose_policy, choose_settings, limits_of
    from facesieve.run.engines.choose import prepare_engine

    shorthands = {"workers": workers, "min_face_size": min_face_size, "turns": turns}
    shorthands |= {"identity": identity, "device": device}
    shorthands |= {"clip_every": every, "clip_frames": frames, "clip_from": start, "clip_to": end, "animated": animated}
    chosen = [*(given or []), *(f"{name}={value}" for name, value in shorthands.items() if value)]
    if allow_address:
        chosen.append(f"fetch_allow_addresses={json.dumps([*map(_network, allow_address)])}")
    settings = choose_settings(settings_file, chosen)
    if not on:
        prepare_engine(sources, settings)  # worker processes start while this process imports the rest
    from facesieve.cli.progress import progress_display
    from facesieve.run.portion import parsed_shard
    from facesieve.run.recipe import build as build_dataset

    numbers = None if shard is None else parsed_shard(shard)
    begun = False
    try:
        with progress_display(quiet) as show:

            def watch(progress: Progress) -> None:
                nonlocal begun
                begun = True
                show(progress)

            result = build_dataset(
                sources,
                output,
                settings=settings,
                policy=choose_policy(policy, limits_of(changes, one_per_picture)),
                label_from=label_from,
                crops={crop.strip() for crop in crops.split(",")} - {""},
                keep_rejected=keep_rejected,
                marked=marked,
                marked_video=marked_video,
                crops_as=crops_as.value if crops_as else None,
                prune=prune,
                allow_again=allow_again,
                on=on,
                shard=numbers,
                work_folder=work_folder,
                allow_mixed_engines=allow_mixed_engines,
                follow_links=follow_links,
                include_hidden=include_hidden,
                archive_encoding=archive_encoding,
                path_column=path_column,
                label_column=label_column,
                list_encoding=list_encoding,
                watch=watch,
            )
    except Stopped as stopped:
        done = stopped.remark or "what was finished is kept"
        remark = f"{done}, and the same command continues {output}"
        raise Stopped(stopped.number, remark if begun else "") from None
    _sum_up(result, output, quiet, as_json)
    found = result.progress.total + result.progress.already
    if found and not (result.readable or result.forgotten):  # a shard may have no sources
        raise typer.Exit(1)


def _network(given: str) -> str:
    from ipaddress import ip_network

    try:
        return str(ip_network(given.strip()))
    except ValueError as error:
        reason = f"{error}; write a network such as 10.0.0.0/8, or an address such as 127.0.0.1"
        raise UsageError("bad_address", f"--allow-address cannot be used: {reason}.") from error


def _sum_up(result: BuildResult, output: str, quiet: bool, as_json: bool) -> None:
    from facesieve.cli.notes import inside, notes, refused_notes

    _print_changes(result)
    if as_json:
        beside = {
            "pictures_with_several_kept_faces_under_one_label": result.shared_labels,
            "pictures_under_several_labels": result.several_labels,
            "changed_labels": [
                {"from": old, "to": new, "pictures": pictures} for (old, new), pictures in result.relabelled.items()
            ],
            "left_out": result.left_out.plain(),
            "notes": list(result.notes),
            "damaged": len(result.damaged),
            "gone": len(result.gone),
            "moved": len(result.moved),
            "moved_labels": len(result.moved_labels),
            "pruned": result.pruned,
            "forgotten": result.forgotten,
            "first_refused": [picture.as_json() for picture in result.refused],
        }
        typer.echo(json.dumps({"dataset": output, **result.counts.as_json(), **beside}))
        return
    for note in notes(result):
        typer.echo(note, err=True)
    if not quiet:
        for line in refused_notes(result.refused, result.counts, output):
            typer.echo(line, err=True)
        typer.echo(f"look at {inside(output, 'contact_sheet.html')}")
    typer.echo(result.counts.line())


def _print_changes(result: BuildResult) -> None:
    """Print to stderr what has changed since the last build: damaged files, and sources that are gone or moved."""
    from facesieve.dataset.disk.names import shortened_list

    if result.damaged:
        typer.echo(
            f"missing or damaged: {shortened_list(result.damaged)}; their pictures were processed again", err=True
        )
    if result.gone:
        verb = "removed" if result.pruned else "kept in the dataset (--prune removes them)"
        typer.echo(f"gone from the sources: {shortened_list(result.gone)}; {verb}", err=True)
    if result.moved:
        verb = "the old names were removed" if result.pruned else "the old names are kept (--prune removes them)"
        typer.echo(
            f"moved: {shortened_list(result.moved)} no longer on disk, "
            f"but the same bytes were found in the sources; {verb}",
            err=True,
        )
    if result.moved_labels:
        typer.echo(
            f"moved to another label: {shortened_list(result.moved_labels)}; the faces are under the new label only",
            err=True,
        )
