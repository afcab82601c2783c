from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from PIL import Image

from facesieve.dataset.disk.outputs import Outputs
from facesieve.run.picture_files import picture_files
from facesieve.settings import Settings
from handmade import face_of, record_of, source_of


def test_a_record_becomes_the_files_that_were_asked_for(astronaut: Path) -> None:
    record = record_of(source_of(astronaut, astronaut.parent, "Eileen"))
    record = replace(record, faces=(face_of(record.photo, 0), face_of(record.photo, 1)))
    kept, rejected = record.faces[0].face_id, record.faces[1].face_id
    names = dict(picture_files(record, Outputs(), Settings()))
    assert list(names) == [f"kept/Eileen/{kept}.png"]
    everything = dict(picture_files(record, Outputs(True, ("face", "head"), True), Settings()))
    assert {f"rejected/Eileen/{rejected}.png", f"crops/face/Eileen/{rejected}.jpg"} <= set(everything)
    assert f"marked/Eileen/astronaut.{record.photo.picture_id[:8]}.jpg" in everything
    assert len(everything) == 3 * len(record.faces) + 1
    head = Image.open(io.BytesIO(everything[f"crops/head/Eileen/{kept}.jpg"])).size
    face = Image.open(io.BytesIO(everything[f"crops/face/Eileen/{kept}.jpg"])).size
    assert head > face
