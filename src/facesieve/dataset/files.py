"""Which picture files a record becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from facesieve.dataset.cut import cut
from facesieve.dataset.encode import jpeg, png
from facesieve.dataset.layout import crop_name, cut_name, marked_name
from facesieve.dataset.mark import mark
from facesieve.records import Face, Record
from facesieve.settings import Settings

CUTS = ("face", "head")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is written besides the kept crops.

    keep_rejected: crops of rejected faces too. cuts: unaligned crops, of `face`, `head`.
    marked: pictures with the faces drawn.
    """

    keep_rejected: bool = False
    cuts: tuple[str, ...] = ()
    marked: bool = False

    def writes(self, kept: bool) -> bool:
        """Whether crops of such a face are written."""
        return kept or self.keep_rejected


def files_of(record: Record, outputs: Outputs, settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Name (relative to the dataset) and bytes of every picture file that a record becomes."""
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
