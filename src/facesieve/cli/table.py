"""Faces of a dataset as a small table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from facesieve.dataset.manifests import Manifests
from facesieve.records import ANGLES

WIDE = 140  # characters per line where the output is not a terminal


def face_table(dataset: Manifests) -> None:
    """Print one line per face and one per picture without faces: numbers, verdict and reasons."""
    table = Table(
        Column("picture", no_wrap=True),
        Column("confidence", justify="right"),
        Column("pitch/yaw/roll", justify="right", no_wrap=True),
        Column("blur", justify="right"),
        Column("verdict", no_wrap=True),
        Column("reasons", overflow="fold"),
        box=None,
        pad_edge=False,
    )
    for _, row in sorted([*_faces(dataset), *_others(dataset)]):
        table.add_row(*row)
    console = Console()
    (console if console.is_terminal else Console(width=WIDE)).print(table)


def _faces(dataset: Manifests) -> Iterator[tuple[str, list[str]]]:
    for face in dataset.faces.to_pylist():
        angles = "/".join(_number(face[name], "{:.0f}") for name in ANGLES)
        numbers = [_number(face["confidence"], "{:.4f}"), angles, _number(face["blur"], "{:.0f}")]
        verdict = "[blue]kept[/]" if face["kept"] else "[magenta]rejected[/]"
        yield face["source"], [_name(face["source"]), *numbers, verdict, ", ".join(face["reasons"])]


def _others(dataset: Manifests) -> Iterator[tuple[str, list[str]]]:
    for picture in dataset.pictures.to_pylist():
        verdict = "[yellow]refused[/]" if picture["refusal"] else "no face"
        if not picture["faces"]:
            yield picture["source"], [_name(picture["source"]), "", "", "", verdict, picture["refusal"] or ""]


def _number(value: Any, form: str) -> str:
    return "–" if value is None else form.format(value)


def _name(source: str) -> str:
    return escape(PurePath(source).name)
