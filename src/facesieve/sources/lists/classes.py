"""Labels that Hugging Face `datasets` stores as numbers; their names are in the metadata of the Parquet file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facesieve.sources.lists.columns import shown
from facesieve.sources.search import Search

_NO_CLASS = -1  # what Hugging Face writes for a row without a class


class Classes:
    """Names of classes by number. Counts the rows whose number has no name. Without names, labels stay numbers."""

    def __init__(self, path: Path, names: dict[int, str], fault: bool = False) -> None:
        self._path, self._names, self._fault = path, names, fault
        self._unnamed, self._first = 0, ""

    @classmethod
    def of(cls, path: Path, schema: Any, label: str | None) -> Classes:
        """The classes of a column of labels."""
        try:
            features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
            names = features[label]["names"]
        except (KeyError, TypeError, ValueError, RecursionError):
            return cls(path, {})
        if isinstance(names, list):
            return cls(path, {number: str(name) for number, name in enumerate(names)})
        try:
            return cls(path, {int(number): str(name) for number, name in names.items()})
        except (AttributeError, TypeError, ValueError):
            return cls(path, {}, fault=True)

    def name(self, row: int, label: Any) -> Any:
        """The label of a row: the name of its class, or the value itself where the column has no classes."""
        if not self._names or type(label) is not int:
            return label
        if label not in self._names and label != _NO_CLASS:
            self._unnamed += 1
            self._first = self._first or f"number {label} in row {row}"
        return self._names.get(label)

    def tell(self, search: Search) -> None:
        """Tell the user which labels have no name."""
        if self._fault:
            search.tell(f"{shown(self._path)}: the names of its classes cannot be read; their numbers are the labels")
        if self._unnamed:
            rows_have = "1 row has a class" if self._unnamed == 1 else f"{self._unnamed} rows have classes"
            search.tell(
                f"{shown(self._path)}: {rows_have} without a name, first {self._first}; such rows have no label"
            )
