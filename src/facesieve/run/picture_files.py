"""Which picture files a record becomes, and their bytes."""

from __future__ import annotations

from collections.abc import Iterator

from facesieve.dataset.disk.layout import crop_name, cut_name, marked_name
from facesieve.dataset.disk.outputs import Outputs
from facesieve.draw.cut import cut
from facesieve.draw.encode import jpeg, png
from facesieve.draw.mark import mark
from facesieve.records import Face, Record
from facesieve.settings import Settings


def picture_files(record: Record, outputs: Outputs, settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield the name (relative to the dataset) and the bytes of every picture file of a record."""
    label = record.source.label
    for face in record.faces:
        if outputs.writes(face.verdict.kept):
            yield crop_name(label, face.face_id, face.verdict.kept), png(face.crop)
            yield from _cuts_of(record, face, outputs, settings)
    if outputs.marked and record.photo is not None:
        name = marked_name(label, record.source.name, record.photo.picture_id)
        yield name, jpeg(mark(record.photo.pixels, record.faces), settings.jpeg_quality)


def _cuts_of(record: Record, face: Face, outputs: Outputs, settings: Settings) -> Iterator[tuple[str, bytes]]:
    assert record.photo is not None  # a record with faces has a photo
    margins = {"face": 0.0, "head": settings.head_margin}
    for what in outputs.cuts:
        pixels = cut(record.photo.pixels, face.box, margins[what])
        yield cut_name(what, record.source.label, face.face_id), jpeg(pixels, settings.jpeg_quality)
