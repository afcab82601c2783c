"""`facesieve sieve`: judge a dataset again from its manifests alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from facesieve.run.rejudge import Rejudged


def sieve(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Rules: reference, strict, lenient, gallery, training, or a TOML file."),
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="LIMIT=VALUE", help="Change a limit: max_yaw=30.")
    ] = None,
    one_per_picture: Annotated[
        bool, typer.Option("--one-per-picture", help="Keep one face of each picture: --set max_rank_in_picture=1.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="Reject faces and people of this dataset, which is held out.")
    ] = None,
    min_label_faces: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="Faces that a label needs to be compared; else as built.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="NEW", help="Write the result as a new dataset.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what an earlier `sieve` wrote to NEW, as a whole.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the faces whose verdict changes.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the last line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge a dataset again by other rules.

    Reads no picture and runs no network. Without -o it only shows what would change. Without --policy,
    --set changes the dataset's own rules.
    """
    from facesieve.cli.choices import choose_again, limits_of
    from facesieve.run.open_dataset import open_dataset

    old = open_dataset(dataset)
    rules = choose_again(policy, limits_of(changes, one_per_picture), old.policy)
    new = old.rejudge(rules, output, against=against, min_label_faces=min_label_faces, overwrite=overwrite)
    for note in new.verdicts.related.notes:
        typer.echo(f"note: {note}", err=True)
    if new.already_so:
        typer.echo(f"note: {output} has this result already, so nothing was written", err=True)
    if not new.remembered:
        typer.echo(f"note: {dataset} cannot be written, so `forget` will not name {output}", err=True)
    turned = {
        "newly_kept": new.newly_kept,
        "newly_rejected": new.newly_rejected,
        "kept_without_crop": new.without_crop,
        **({"already_so": new.already_so} if output else {}),
    }
    if as_json:
        summary = {"before": new.before.as_json(), "after": new.after.as_json(), **turned}
        if listed:
            summary["changes"] = list(_changes(new))
        typer.echo(json.dumps(summary | ({"dataset": str(output)} if output else {})))
        return
    if quiet:
        typer.echo(new.after.line())
        return
    typer.echo(f"before | {new.before.line()}")
    for face in _changes(new) if listed else ():
        verdict = "kept    " if face["kept"] else "rejected"
        typer.echo(f"{verdict}  {face['face_id']}  {face['source']}  {', '.join(face['reasons'])}".rstrip())
    typer.echo(f"{new.newly_kept} newly kept, {new.newly_rejected} newly rejected")
    if new.without_crop:
        typer.echo(
            f"{new.without_crop} kept without a crop, because the build did not write the crops of rejected faces; "
            "build with --keep-rejected to get them"
        )
    typer.echo(f"after  | {new.after.line()}")


def _changes(new: Rejudged) -> Iterator[dict[str, Any]]:
    """Yield the faces whose verdict changed, with the new verdict."""
    for rows in new.changes():
        yield from rows.select(["face_id", "source", "label", "kept", "reasons"]).to_pylist()
