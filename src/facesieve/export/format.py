"""What a format is: a name, what it needs, and a writer and a reader of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from facesieve.export.plan import Plan
    from facesieve.export.staging import Staging


class Order(Enum):
    """The order of the faces in each split: as in the dataset, by class, drawn by the seed, or by class for pairs."""

    ROWS = 0
    CLASSES = 1
    RANDOM = 2
    PAIRS = 3


class Batch(NamedTuple):
    """Faces that are written together: at most `export_shard` consecutive faces of one split.

    split: the name of the split. number: of the batch in its split, from 0. first: the position of its first face in
    the split. rows: of `faces`, in order, with the columns `class` (the number of the class) and `folder`.
    """

    split: str
    number: int
    first: int
    rows: pa.Table


class Item(NamedTuple):
    """One face as a reader of a format finds it again. data: the picture file; None if the format has none."""

    split: str
    face_id: str
    number: int
    data: bytes | None


class Writer(Protocol):
    """Writes one export into a folder."""

    def add(self, batch: Batch, pictures: Iterator[bytes]) -> None:
        """Write a batch. pictures: one file for each of its rows, in order."""
        ...

    def finish(self) -> None:
        """Write what follows the last batch."""
        ...


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A format of exports.

    name: what `--to` says. sentence: what it is, for `--help` and the docs. write: makes a writer for a folder.
    read: yields what is in a finished export, in the order in which it was written, with code that shares nothing with
    the writer. order: of the faces. image: how pictures are encoded by default. images: the encodings that readers of
    the format accept. pictures: whether it has the crops. labelled: whether a face without a label is of no use.
    whole_pictures: whether it has all faces of a picture, also rejected ones. plain_names: whether it separates
    names by spaces. only_split: the name of the split if the user names none. pattern: which files are data, by split,
    for Hugging Face; "" if it cannot load them. load: how to load it, in Python, for the card.
    """

    name: str
    sentence: str
    write: Callable[[Plan, Staging], Writer]
    read: Callable[[Path, Plan], Iterable[Item]]
    order: Order = Order.ROWS
    image: str = "png"
    images: tuple[str, ...] = ("png", "jpeg", "webp")
    pictures: bool = True
    labelled: bool = False
    whole_pictures: bool = False
    plain_names: bool = False
    only_split: str = "train"
    pattern: str = ""
    load: str = ""
