"""`facesieve queue`: what is in a queue."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer


def queue(
    queue: Annotated[str, typer.Argument(metavar="REDIS", help="Where the queue is: redis://HOST:6379.")],
    stream: Annotated[str, typer.Option(help="Stream of jobs.")] = "faces:jobs",
    group: Annotated[str, typer.Option(help="Group of workers.")] = "facesieve",
    results: Annotated[str, typer.Option(help="Stream of results.")] = "faces:results",
    dead: Annotated[str, typer.Option(help="Stream of dead jobs.")] = "faces:dead",
    retry_dead: Annotated[bool, typer.Option("--retry-dead", help="Submit the dead jobs again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show jobs, workers, results and dead jobs of a queue."""
    from facesieve.cli.work import check_installed

    check_installed()
    from facesieve.queue.connection import short_lived_client
    from facesieve.queue.entries import Names
    from facesieve.queue.state import retry_dead as retry
    from facesieve.queue.state import state_of

    names = Names(stream, group, results, dead)
    with short_lived_client(queue) as redis:
        retried = retry(redis, names) if retry_dead else 0
        state = state_of(redis, names)
    if as_json:
        typer.echo(json.dumps(asdict(state) | ({"retried": retried} if retry_dead else {})))
        return
    if retry_dead:
        typer.echo(f"{retried} dead jobs submitted again.")
    age = f", the oldest for {state.oldest:,.0f} s" if state.jobs else ""
    typer.echo(f"{stream}: {state.jobs} jobs{age}; {state.held} held by {len(state.workers)} workers.")
    for worker in state.workers:
        typer.echo(f"  {worker.name}: {worker.held} held, asked for jobs {worker.idle:.0f} s ago")
    if state.returned:
        typer.echo(f"  {state.returned} were returned by workers that stopped")
    typer.echo(f"{results}: {state.results} results.")
    reasons = ", ".join(f"{count} {reason}" for reason, count in state.dead.items())
    typer.echo(f"{dead}: {sum(state.dead.values())} dead jobs" + (f" ({reasons})." if reasons else "."))
