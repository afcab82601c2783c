"""`facesieve build`: photos in, dataset out."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facesieve.errors import UsageError
from facesieve.stop import Stopped

if TYPE_CHECKING:
    from facesieve.run.build_result import BuildResult
    from facesieve.run.progress import Progress


class CropsAs(StrEnum):
    files = "files"
    shards = "shards"


def build(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Files, folders, globs, archives, URLs, buckets, lists of these."),
    ],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="DATASET", help="Folder of the dataset, or s3://, gs://, az://."),
    ],
    label_from: Annotated[
        str,
        typer.Option(
            metavar="none|folder|folder:1|name:PATTERN",
            help="Label faces with the folder of their picture, with the first folder below SOURCE (folder:2: second),"
            " or with the group `label` of a regular expression in its path.",
        ),
    ] = "none",
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Rules: reference, strict, lenient, gallery, training, footage, or a TOML file.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="LIMIT=VALUE", help="Change a limit of the policy: max_yaw=30."),
    ] = None,
    one_per_picture: Annotated[
        bool, typer.Option("--one-per-picture", help="Keep one face of each picture: --set max_rank_in_picture=1.")
    ] = False,
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
    crops_as: Annotated[
        CropsAs | None,
        typer.Option(
            show_default=False,
            help="One file per crop, or tar shards for WebDataset. Default: what the dataset has; a new one has files "
            "up to 200,000 pictures.",
        ),
    ] = None,
    workers: Annotated[
        str | None, typer.Option(metavar="N|auto", help="Number of processes; auto means one per core.")
    ] = None,
    min_face_size: Annotated[
        str | None,
        typer.Option(metavar="PIXELS", help="Smallest face to search for; 40 takes less than half the time of 20."),
    ] = None,
    turns: Annotated[
        str | None,
        typer.Option(metavar="1|4", help="4 also searches pictures that are sideways or upside down, and turns them."),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="SECONDS", help="Use one frame of a clip in this time; default 0.2.")
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(metavar="all|scene|N", help="Use all frames of a clip, the first of each scene, or N."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="SECONDS", help="Read clips from this time on.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="SECONDS", help="Read clips up to this time.")] = None,
    animated: Annotated[
        str | None, typer.Option(metavar="first|frames", help="Read animated pictures as clips, or their first frame.")
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(metavar="MODEL|none", help="Compute embeddings of faces, to check labels: dlib-resnet, sface."),
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="cpu|cuda", help="Where networks run.")] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow links that lead out of the named folder.")
    ] = False,
    include_hidden: Annotated[
        bool,
        typer.Option("--include-hidden", help="Read hidden files and folders, and those of trash and NAS systems."),
    ] = False,
    archive_encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoding of names in old archives: gbk, shift_jis, cp437.")
    ] = None,
    path_column: Annotated[str | None, typer.Option(metavar="NAME", help="Column of paths in lists.")] = None,
    label_column: Annotated[str | None, typer.Option(metavar="NAME", help="Column of labels in lists.")] = None,
    list_encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoding of lists that are not Unicode: cp1252, gbk, shift_jis.")
    ] = None,
    allow_address: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help="Network of your own that URLs may lead to: 10.0.0.0/8. May be repeated."),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove pictures from the dataset that are no longer in the named sources.")
    ] = False,
    allow_again: Annotated[
        bool, typer.Option("--allow-again", help="Add pictures again that were removed with `forget`.")
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(metavar="ray|ray://HOST:PORT", help="Build in a Ray cluster; ray alone starts a local one."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Build only the Kth of N parts of the sources; `merge` joins the datasets."),
    ] = None,
    work_folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Working folder of a dataset in a bucket. Default: one in the cache."),
    ] = None,
    allow_mixed_engines: Annotated[
        bool,
        typer.Option(
            "--allow-mixed-engines",
            help="Continue a dataset, or use nodes, with another inference engine, and record both.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only the last line, no progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
) -> None:
    """Photos and clips in, dataset out.

    Finds, measures, aligns and judges every face, and writes crops, manifests and a contact sheet.

    Run it again with the same options to add new pictures. Exits 1 when no picture could be read.
    """
    from facesieve.cli.choices import choose_policy, choose_settings, limits_of
    from facesieve.run.engines.choose import prepare_engine

    options = {"workers": workers, "min_face_size": min_face_size, "turns": turns}
    options |= {"identity": identity, "device": device}
    options |= {"clip_every": every, "clip_frames": frames, "clip_from": start, "clip_to": end, "animated": animated}
    chosen = [*(given or []), *(f"{name}={value}" for name, value in options.items() if value)]
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
    from facesieve.cli.notes import notes, refused_notes

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
        typer.echo(f"look at {_inside(output, 'contact_sheet.html')}")
    typer.echo(result.counts.line())


def _inside(output: str, name: str) -> str:
    """A file of the dataset, as a path or a URL."""
    from facesieve.dataset.disk.layout import bucket_of

    return f"{output.rstrip('/')}/{name}" if bucket_of(output) else str(Path(output) / name)


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
