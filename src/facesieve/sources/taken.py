"""Which entries of an archive or a bucket may be pictures, judging by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from facesieve.sources.folder import left_out
from facesieve.sources.names import hidden, is_archive_name, is_dataset, system_folder, unsafe
from facesieve.sources.search import Search


class Entry(Protocol):
    """A member of an archive, or an object of a bucket. parts: the folders and the file in its name."""

    @property
    def parts(self) -> list[str]: ...
    @property
    def is_folder(self) -> bool: ...


Kind = TypeVar("Kind", bound=Entry)


def taken(entries: Iterable[Kind], search: Search) -> Iterator[Kind]:
    """The entries that may be pictures. Those that are left out are counted."""
    entries = list(entries)
    datasets, counted = _datasets(entries), set[str]()
    search.left_out.datasets += len(datasets)
    for entry in entries:
        parts = entry.parts
        if entry.is_folder or (not unsafe(parts) and _left_out(parts, datasets, counted, search)):
            continue
        yield entry


def _left_out(parts: list[str], datasets: set[str], counted: set[str], search: Search) -> bool:
    """Whether an entry is left out. If so, it is counted, or its folder is, once. counted: folders counted so far."""
    for at, name in enumerate(parts[:-1], 1):
        folder = "/".join(parts[:at])
        if folder in datasets:
            return True
        if (hidden(name) or system_folder(name)) and not search.options.include_hidden:
            if folder not in counted:
                counted.add(folder)
                left_out(name, True, search)
            return True
    if "" in datasets or left_out(parts[-1], False, search):
        return True
    search.left_out.archives += is_archive_name(parts[-1])
    return is_archive_name(parts[-1])


def _datasets(entries: Sequence[Entry]) -> set[str]:
    """The folders that are datasets made by FaceSieve; of nested ones the outermost."""
    held: dict[str, set[str]] = {}
    for entry in entries:
        parts = entry.parts
        for at in range(len(parts)):
            if parts[at] in (".facesieve", "dataset.json", "faces.parquet"):
                held.setdefault("/".join(parts[:at]), set()).add(parts[at])
    found = {folder for folder, names in held.items() if is_dataset(names)}
    return {folder for folder in found if not any(_inside(folder, other) for other in found)}


def _inside(folder: str, other: str) -> bool:
    return folder != other and (not other or folder.startswith(f"{other}/"))
