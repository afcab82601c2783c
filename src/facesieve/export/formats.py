"""The formats of exports by name."""

from __future__ import annotations

from facesieve.errors import UsageError
from facesieve.export.coco import COCO
from facesieve.export.csv_lines import CSV
from facesieve.export.format import ExportFormat
from facesieve.export.image_folder import IMAGE_FOLDER
from facesieve.export.json_lines import JSON_LINES
from facesieve.export.pairs import PAIRS
from facesieve.export.parquet import PARQUET
from facesieve.export.recordio import RECORDIO
from facesieve.export.webdataset import WEBDATASET

FORMATS = {kind.name: kind for kind in (IMAGE_FOLDER, WEBDATASET, PARQUET, RECORDIO, PAIRS, COCO, CSV, JSON_LINES)}


def format_named(name: str) -> ExportFormat:
    """The format of that name. Raises UsageError `unknown_format`."""
    if name not in FORMATS:
        raise UsageError("unknown_format", f"There is no format {name!r}; write {', '.join(FORMATS)}.")
    return FORMATS[name]
