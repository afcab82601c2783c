"""One clip of a shard: its pictures wait in a temporary file until the last frame shows which faces are kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.picture_names import crop_name, cut_name, marked_clip_name, marked_name, member_name
from facesieve.dataset.tables.clip_rows import (
    ClipRows,
    boxes_of,
    hashes_of_faces,
    measures_of,
    numbers_of,
    vectors_of_faces,
    with_columns,
)
from facesieve.draw.encode import jpeg, thumbnail
from facesieve.draw.mark import mark
from facesieve.quality import is_relation
from facesieve.records import Indices, NoEmbedding, Record, Verdict
from facesieve.run.marked_clip import MarkedClip
from facesieve.run.picture_files import crops_of
from facesieve.settings import Settings
from facesieve.sieve import Judgement, Policy
from facesieve.tracking import ClipFaces, judge_clip

THUMBNAIL = "thumbnail"
MOST_THUMBNAILS = 5000  # of one clip, unless more of its faces are kept


class Spool:
    """Bytes by face and kind, in a file without a name that is gone with this process however it ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self._positions: dict[tuple[str, str], tuple[int, int]] = {}
        self._end = 0

    def add(self, face_id: str, what: str, data: bytes) -> None:
        self._file.write(data)
        self._positions[face_id, what] = (self._end, len(data))
        self._end += len(data)

    def read(self, face_id: str, what: str) -> bytes:
        offset, size = self._positions[face_id, what]
        self._file.seek(offset)
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class JudgedClip:
    """A clip after its last frame.

    last: the record of its last frame. faces: those of all frames, with tracks and verdicts. kept, rejected: how many.
    """

    last: Record
    faces: pa.StructArray
    kept: int
    rejected: int


class OpenClip:
    """A clip while its frames arrive."""

    def __init__(
        self, measures: Sequence[str], outputs: Outputs, settings: Settings, model: str, scratch: Path
    ) -> None:
        self._measures, self._outputs, self._settings = measures, outputs, settings
        self._rows, self._spool = ClipRows(measures, outputs, model), Spool(scratch)
        self._scenes = list[int]()
        self._best: Record | None = None
        self._marked = MarkedClip(scratch) if outputs.marked_video else None

    def add(self, record: Record) -> None:
        """Add a frame. Crops of faces that cannot be kept any more are not stored, unless rejected ones are wanted."""
        assert record.photo is not None
        for face, what, data in crops_of(record, self._outputs, self._settings):
            self._spool.add(face.face_id, what, data)
        for face in record.faces:
            self._spool.add(face.face_id, THUMBNAIL, thumbnail(face.crop))
        self._rows.add(record)
        self._scenes += [record.photo.scene] * len(record.faces)
        if self._outputs.marked and (self._best is None or _fittest(record) > _fittest(self._best)):
            self._best = record
        if self._marked is not None:
            self._marked.add(record.photo)

    def judged(self, last: Record, policy: Policy) -> JudgedClip:
        """The faces with tracks and final verdicts. last: the record of the last frame, which was added."""
        faces = self._rows.faces()
        track, judgement = self._judge(faces, policy)
        written = np.array([self._outputs.writes(kept) for kept in judgement.kept.tolist()], bool)
        ids = faces.field("face_id").to_pylist()
        label = last.source.label
        names = [
            self._file_name(label, face_id, kept) if wanted else None
            for face_id, kept, wanted in zip(ids, judgement.kept.tolist(), written.tolist(), strict=True)
        ]
        columns = {name: pa.array(values, mask=np.isnan(values)) for name, values in judgement.relations.items()}
        columns |= {"track": pa.array(track.astype(np.int32)), "kept": pa.array(judgement.kept)}
        columns |= {"reasons": pa.array(judgement.reasons(), pa.list_(pa.string()))}
        columns |= {"file_name": pa.array(names, pa.string())}
        columns |= _without_embeddings(faces, written)
        kept = int(judgement.kept.sum())
        return JudgedClip(last, with_columns(faces, columns), kept, len(ids) - kept)

    def crops(self, clip: JudgedClip) -> Iterator[tuple[int, str, bytes]]:
        """Yield the row of a face, the name and the bytes of every crop, in order; see `picture_files`."""
        label, outputs = clip.last.source.label, self._outputs
        columns = (clip.faces.field(name).to_pylist() for name in ("face_id", "file_name"))
        for row, (face_id, name) in enumerate(zip(*columns, strict=True)):
            for what in ("", *outputs.cuts) if name is not None else ():
                other = member_name(label, face_id, what) if outputs.in_tars else cut_name(what, label, face_id)
                yield row, other if what else name, self._spool.read(face_id, what)

    def marked(self, clip: JudgedClip) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the bytes of the marked copy of the frame with the fittest face, if one is wanted."""
        if self._best is None or self._best.photo is None:
            return
        columns = (clip.faces.field(name).to_pylist() for name in ("face_id", "kept", "reasons"))
        verdicts = {face_id: Verdict(kept, tuple(why)) for face_id, kept, why in zip(*columns, strict=True)}
        faces = [replace(face, verdict=verdicts[face.face_id]) for face in self._best.faces]
        source, photo = self._best.source, self._best.photo
        name = marked_name(source.label, source.name, photo.picture_id)
        yield name, jpeg(mark(photo.pixels, faces), self._settings.jpeg_quality)

    @contextmanager
    def marked_video(self, clip: JudgedClip) -> Iterator[Iterable[tuple[str, Callable[[BinaryIO], None]]]]:
        """Encode the marked copy of the clip, if one is wanted. Yields its name, and a function that writes it."""
        last = clip.last.photo
        if self._marked is None or last is None or last.clip is None:
            yield ()
            return
        source = clip.last.source
        name = marked_clip_name(source.label, source.name, last.picture_id)
        with self._marked.encoded(clip.faces, last.clip.duration, source.waiting or (lambda: None)) as write:
            yield [(name, write)]

    def thumbnails(self, clip: JudgedClip) -> list[tuple[str, bytes]]:
        """Thumbnails of all faces; of a long clip, of the kept faces and of the fittest face of each track."""
        ids, kept = (clip.faces.field(name).to_pylist() for name in ("face_id", "kept"))
        if len(ids) <= MOST_THUMBNAILS:
            return [(face_id, self._spool.read(face_id, THUMBNAIL)) for face_id in ids]
        track, fitness = numbers_of(clip.faces, "track"), numbers_of(clip.faces, "fitness")
        order = np.lexsort((np.nan_to_num(-fitness), track))
        first = order[np.flatnonzero(np.diff(track[order], prepend=-1))].tolist()
        wanted = sorted({*first, *np.flatnonzero(kept).tolist()})
        return [(ids[at], self._spool.read(ids[at], THUMBNAIL)) for at in wanted]

    def close(self) -> None:
        """Remove the temporary files."""
        self._spool.close()
        if self._marked is not None:
            self._marked.close()

    def _judge(self, faces: pa.StructArray, policy: Policy) -> tuple[Indices, Judgement]:
        frame = numbers_of(faces, "frame").astype(np.intp)
        names = [name for name in self._measures if not is_relation(name)]
        columns = ClipFaces(
            frame=frame,
            scene=np.array(self._scenes, np.intp),
            time=numbers_of(faces, "time"),
            boxes=boxes_of(faces),
            hashes=hashes_of_faces(faces),
            measures=measures_of(faces, names),
            embeddings=vectors_of_faces(faces),
        )
        return judge_clip(columns, policy, self._settings.shot_gap, self._settings.identity)

    def _file_name(self, label: str, face_id: str, kept: bool) -> str:
        return member_name(label, face_id) if self._outputs.in_tars else crop_name(label, face_id, kept)


def _fittest(record: Record) -> float:
    """The fitness of the fittest face that may be kept; -1 without one."""
    return max((float(np.nan_to_num(face.measures["fitness"])) for face in record.kept), default=-1.0)


def _without_embeddings(faces: pa.StructArray, written: np.ndarray) -> dict[str, pa.Array]:
    """The columns of embeddings, if there are any, without those of faces whose crop is not written."""
    if faces.type.get_field_index("embedding") < 0:
        return {}
    there = pa.array(written)
    import pyarrow.compute as pc  # late, so that the workers of a build without clips start sooner

    nothing = pa.scalar(None, faces.field("embedding").type)
    return {
        "embedding": pc.if_else(there, faces.field("embedding"), nothing),
        "no_embedding": pc.if_else(there, faces.field("no_embedding"), NoEmbedding.NO_CROP.value),
    }
