"""Small pictures that can be told apart by their grey level."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from facesieve.decode import decode_one
from facesieve.records import Photo, Source
from facesieve.settings import Settings
from facesieve.sources import Found, SourceOptions, find_sources

SETTINGS = Settings()


def png(level: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 3), (level, level, level)).save(out, "PNG")
    return out.getvalue()


def put(path: Path, level: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(level))
    return path


def outcome(source: Source) -> str | int:
    """The grey level of a source's picture, or its refusal's code."""
    result = decode_one(source, SETTINGS)
    return int(result.pixels[0, 0, 0]) if isinstance(result, Photo) else result.code


def look(*arguments: str | Path, **options: object) -> Found:
    return find_sources(arguments, SETTINGS, SourceOptions(**options))  # type: ignore[arg-type]


def outcomes(*arguments: str | Path, **options: object) -> dict[str, str | int]:
    return {Path(source.name).name: outcome(source) for source in look(*arguments, **options).sources}


def labels(*arguments: str | Path, **options: object) -> dict[str, str]:
    return {source.name: source.label for source in look(*arguments, **options).sources}
