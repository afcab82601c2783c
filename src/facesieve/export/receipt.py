"""A receipt of each export, in the dataset: when it was made, where, how, and which faces it has.

Receipts show which exports have the faces of a person who is removed from the dataset. They stay in the hidden folder
of the dataset; no export has them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from facesieve.dataset.disk.atomic import open_for_writing, wrap_read_errors
from facesieve.dataset.disk.layout import Layout
from facesieve.errors import DatasetError
from facesieve.export.plan import Plan

_KEY = b"facesieve"
_SCHEMA = pa.schema([pa.field("face_id", pa.string())])


def leave_receipt(plan: Plan, output: Path) -> bool:
    """Write the receipt of an export. Returns False if the dataset is on a disk that cannot be written.

    Another export to the same place replaces the receipt of the one before.
    """
    absolute = str(output.absolute())
    layout = plan.dataset.layout
    path = layout.exports / f"{hashlib.sha256(os.fsencode(absolute)).hexdigest()[:16]}.parquet"
    about = {"output": absolute, "made": datetime.now(UTC).isoformat(timespec="seconds"), "spec": plan.spec.as_json()}
    schema = _SCHEMA.with_metadata({_KEY: json.dumps(about)})
    try:
        with open_for_writing(path, layout.scratch) as stream, pq.ParquetWriter(stream, schema) as file:
            for batch in plan.batches():
                file.write_table(batch.rows.select(["face_id"]).cast(schema))
    except DatasetError:
        return False
    return True


def receipts(layout: Layout) -> list[tuple[Mapping[str, Any], Path]]:
    """What each receipt says (`output`, `made`, `spec`), and its file, whose column `face_id` names the faces."""
    if not layout.exports.is_dir():
        return []
    found = []
    for path in sorted(layout.exports.glob("*.parquet")):
        with wrap_read_errors(path):
            found.append((json.loads(pq.read_schema(path).metadata[_KEY]), path))
    return found
