"""`facesieve fit`: limits chosen from the faces of a dataset, with evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facesieve.errors import UsageError

if TYPE_CHECKING:
    from facesieve.fit.fitted import Fitted
    from facesieve.run.open_dataset import Dataset
    from facesieve.sieve import Policy


def fit(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    keep: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Keep this share of the faces, by equally strict rules.")
    ] = None,
    reject_rate: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Each rule alone rejects at most this share of the faces.")
    ] = None,
    examples: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="GOOD BAD", help="Separate these faces: folders of pictures or crops, or files of ids."),
    ] = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="Show errors of recognition while the worst faces are discarded.")
    ] = False,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Rules whose limits are chosen. Default: of the dataset.")
    ] = None,
    measures: Annotated[
        list[str] | None, typer.Option("--measure", metavar="NAME", help="Limit this measure. May be repeated.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the policy (.toml) or curves (.csv).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Choose limits from the faces of a dataset, with evidence.

    Name one of --keep, --reject-rate, --examples and --curve. Prints a policy that --policy reads. Reads no pictures of
    the dataset and runs no network.
    """
    from facesieve.dataset.disk.new_file import check_new, write_new
    from facesieve.fit.by_examples import fit_examples
    from facesieve.fit.share import fit_keep, fit_reject_rate
    from facesieve.run.open_dataset import open_dataset

    asked = [keep is not None, reject_rate is not None, examples is not None, curve]
    if sum(asked) != 1:
        raise UsageError("choose_one", "Name one of --keep, --reject-rate, --examples and --curve.")
    if output is not None:
        check_new(output, ".csv" if curve else ".toml")
    found = open_dataset(dataset)
    start, names = _policy(policy, found), tuple(measures or ())
    if curve:
        text = _curve(found, start, names, as_json)
    elif keep is not None:
        text = _limits(found, fit_keep(found, start, keep, names), as_json)
    elif reject_rate is not None:
        text = _limits(found, fit_reject_rate(found, start, reject_rate, names), as_json)
    elif examples is not None:
        text = _limits(found, fit_examples(found, *examples, names), as_json)
    if output is not None:
        write_new(output, text.encode())
        use = "" if curve else f"; use it: facesieve sieve {dataset} --policy {output}"
        typer.echo(f"wrote {output}{use}", err=True)


def _policy(policy: str | None, dataset: Dataset) -> Policy:
    from facesieve.cli.choices import choose_again

    return choose_again(policy, (), dataset.policy)


def _curve(dataset: Dataset, policy: Policy, measures: tuple[str, ...], as_json: bool) -> str:
    """Print the curves, and return them as CSV."""
    from facesieve.fit.curve import error_curves
    from facesieve.fit.curve_lines import csv, lines

    curves = error_curves(dataset, policy, measures)
    for note in curves.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(json.dumps(curves.as_json()) if as_json else "\n".join(lines(curves)))
    return csv(curves)


def _limits(dataset: Dataset, fitted: Fitted, as_json: bool) -> str:
    """Print a policy, and return it as TOML."""
    after = dataset.rejudge(fitted.policy).after
    text = fitted.toml(str(dataset.layout.root))
    typer.echo(json.dumps({**fitted.as_json(), "after": after.as_json()}) if as_json else text, nl=as_json)
    typer.echo(f"with this policy | {after.line()}", err=True)
    return text
