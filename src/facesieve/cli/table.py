"""Faces of a dataset as a small table for a terminal."""

from __future__ import annotations

from pathlib import PurePath

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facesieve.dataset.read import Dataset

NUMBERS = ("confidence", "pitch", "yaw", "roll", "blur")


def face_table(dataset: Dataset) -> None:
    """Print one line a face and one a refused picture: where it is from, its numbers, its verdict and reasons."""
    table = Table("picture", *NUMBERS, "verdict", "reasons", box=None, pad_edge=False)
    for face in dataset.faces.to_pylist():
        numbers = ["–" if face[name] is None else f"{face[name]:.4g}" for name in NUMBERS]
        verdict = "[blue]kept[/]" if face["kept"] else "[magenta]rejected[/]"
        table.add_row(_name(face["source"]), *numbers, verdict, ", ".join(face["reasons"]))
    for picture in dataset.pictures.to_pylist():
        blank = ["" for _ in NUMBERS]
        if picture["refusal"]:
            table.add_row(_name(picture["source"]), *blank, "[yellow]refused[/]", picture["refusal"])
        elif not picture["faces"]:
            table.add_row(_name(picture["source"]), *blank, "no face", "")
    Console().print(table)


def _name(source: str) -> str:
    return escape(PurePath(source).name)
