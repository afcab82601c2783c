"""Which picture files a record becomes, and their bytes."""

from __future__ import annotations

from collections.abc import Iterator

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.picture_names import crop_name, cut_name, marked_name, member_name
from facesieve.draw.cut import cut
from facesieve.draw.encode import jpeg, png
from facesieve.draw.mark import mark
from facesieve.records import Face, Record
from facesieve.settings import Settings


def picture_files(record: Record, outputs: Outputs, settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield the name (relative to the dataset) and the bytes of every picture file of a record."""
    label = record.source.label
    if not outputs.in_tars:
        for face, what, data in crops_of(record, outputs, settings):
            kept = face.verdict.kept
            yield cut_name(what, label, face.face_id) if what else crop_name(label, face.face_id, kept), data
    if outputs.marked and record.photo is not None:
        name = marked_name(label, record.source.name, record.photo.picture_id)
        yield name, jpeg(mark(record.photo.pixels, record.faces), settings.jpeg_quality)


def tar_members(record: Record, outputs: Outputs, settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every crop of a record that becomes a member of a tar file."""
    if outputs.in_tars:
        for face, what, data in crops_of(record, outputs, settings):
            yield member_name(record.source.label, face.face_id, what), data


def crops_of(record: Record, outputs: Outputs, settings: Settings) -> Iterator[tuple[Face, str, bytes]]:
    """Yield a face, the kind of the crop ("" for the aligned one) and its bytes, for every crop to write."""
    margins = {"face": 0.0, "head": settings.head_margin}
    for face in record.faces:
        if outputs.writes(face.verdict.kept):
            assert record.photo is not None  # a record with faces has a photo
            yield face, "", png(face.crop)
            for what in outputs.cuts:
                yield face, what, jpeg(cut(record.photo.pixels, face.box, margins[what]), settings.jpeg_quality)
