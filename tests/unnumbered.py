"""Turns a dataset into one of a version before format 1, by removing everything that was added later."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from facesieve.dataset.disk.checksums import (
    checksum_of_file,
    checksum_pairs,
    checksums_by_name,
    read_checksums,
    write_checksums,
)
from facesieve.dataset.disk.layout import Layout


def without_number(
    root: Path,
    part: Callable[[pa.Table], pa.Table] = lambda table: table,
    about: Callable[[dict[str, Any]], object] = lambda values: None,
    pictures: Callable[[pa.Table], pa.Table] = lambda table: table,
    sums: bool = True,
) -> Path:
    """Rewrite a dataset without format numbers and engines. The given functions make further changes.

    sums: whether that version wrote checksums; if so, they are rewritten too.
    """
    layout = Layout(root)
    for path in layout.parts.glob("*.parquet"):
        written = path.stat().st_mtime_ns
        pq.write_table(part(pq.read_table(path)).replace_schema_metadata(None), path)
        os.utime(path, ns=(written, written))
    pq.write_table(pictures(pq.read_table(layout.pictures)), layout.pictures)
    for path in (layout.made, layout.about):
        if path.exists():
            values = json.loads(path.read_text())
            assert values.pop("format") == 1
            values.pop("engines", None)
            about(values)
            path.write_text(json.dumps(values))
    if not sums:
        shutil.rmtree(layout.sums)
        return root
    rewrite_sums(root)
    return root


def rewrite_sums(root: Path) -> None:
    """Record the checksums that the files have now, of the files whose checksums were recorded."""
    layout = Layout(root)
    for path in layout.sums.glob("*.txt"):
        fitting = [(name, checksum_of_file(root / name)) for name, _ in checksum_pairs(read_checksums(path))]
        write_checksums(checksums_by_name(fitting), path, layout.scratch)
