"""What tests of forgetting look for in a dataset: its rows, and traces in any of its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


def rows_of(root: Path, manifest: str, source: str) -> list[dict[str, Any]]:
    return [row for row in pq.read_table(root / f"{manifest}.parquet").to_pylist() if row["source"] == source]


def of_several_faces(root: Path) -> str:
    """A source with more than one face, whose picture no other source has."""
    pictures = pq.read_table(root / "pictures.parquet").to_pylist()
    ids = [row["picture_id"] for row in pictures]
    return next(row["source"] for row in pictures if row["faces"] > 1 and ids.count(row["picture_id"]) == 1)


def everything(root: Path) -> bytes:
    """All bytes of a dataset; the tables as text, for Parquet compresses."""
    tables = [str(pq.read_table(path).to_pydict()) for path in sorted(root.rglob("*.parquet"))]
    names = [path.relative_to(root).as_posix() for path in root.rglob("*")]
    others = [path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != ".parquet"]
    return b"\n".join([*(text.encode() for text in tables + names), *others])
