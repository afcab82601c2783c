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
        typer.echo(f"{_number(retried, 'dead job')} submitted again.")
    age = f", the oldest for {state.oldest:,.0f} s" if state.jobs else ""
    jobs, workers = _number(state.jobs, "job"), _number(len(state.workers), "worker")
    typer.echo(f"{stream}: {jobs}{age}; {state.held} held by {workers}.")
    for worker in state.workers:
        typer.echo(f"  {worker.name}: {worker.held} held, asked for jobs {worker.idle:.0f} s ago")
    if state.returned:
        were = "was" if state.returned == 1 else "were"
        typer.echo(f"  {state.returned} {were} returned by workers that stopped")
    typer.echo(f"{results}: {_number(state.results, 'result')}.")
    reasons = ", ".join(f"{count} {reason}" for reason, count in state.dead.items())
    typer.echo(f"{dead}: {_number(sum(state.dead.values()), 'dead job')}" + (f" ({reasons})." if reasons else "."))


def _number(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
