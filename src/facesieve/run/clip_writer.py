"""Writes the clips of one shard, whose frames arrive one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from facesieve.dataset.disk.checksums import Checksum
from facesieve.dataset.origin import ClipOptions
from facesieve.dataset.tables.clip_rows import with_columns
from facesieve.dataset.tables.part_rows import PartRows
from facesieve.records import Record
from facesieve.run.clip import JudgedClip, OpenClip
from facesieve.run.progress import Tally

if TYPE_CHECKING:
    from facesieve.run.shard import ShardRunner


class ClipWriter:
    """Writes the clips of one shard, whose frames arrive one after the other."""

    def __init__(self, runner: ShardRunner, rows: PartRows, files: dict[str, frozenset[Checksum]]) -> None:
        self._runner, self._rows, self._files = runner, rows, files
        self._open: OpenClip | None = None

    def takes(self, record: Record) -> bool:
        """Whether a record is a frame of a clip. A refusal ends an open clip, whose frames then do not count."""
        is_frame = record.photo is not None and record.photo.time is not None
        if not is_frame:
            self.close()
        return is_frame

    def write(self, record: Record, add: Callable[[str, bytes], Checksum]) -> Tally:
        """Take a frame. After the last one, write the clip, and return its counts; zero counts before."""
        from facesieve.dataset.about import write_clips  # late, so that workers of a build without clips start sooner

        runner = self._runner
        if self._open is None:
            scratch = runner.layout.scratch
            self._open = OpenClip(runner.measures, runner.outputs, runner.settings, runner.model, scratch)
        self._open.add(record)
        assert record.photo is not None
        if record.photo.clip is None:
            return Tally()
        clip = self._open.judged(record, runner.policy)
        with runner.permitted():
            write_clips(ClipOptions(**runner.settings.of_clips()), runner.layout)
            self._files.update(runner.write_files(self._open.marked(clip)))
            faces = self._with_crops(self._open, clip, add)
        self._rows.add_clip(record, faces, self._open.thumbnails(clip))
        self.close()
        return Tally(1, 0, clip.kept, clip.rejected)

    def _with_crops(self, opened: OpenClip, clip: JudgedClip, add: Callable[[str, bytes], Checksum]) -> pa.StructArray:
        """Write the crops. Returns the faces with the checksums of those that are in a tar file."""
        if not self._runner.outputs.in_tars:
            self._files.update(self._runner.write_files((name, data) for _, name, data in opened.crops(clip)))
            return clip.faces
        crops = [list[dict[str, Any]]() for _ in range(len(clip.faces))]
        for row, name, data in opened.crops(clip):
            crops[row].append(asdict(add(name, data)))
        return with_columns(clip.faces, {"crops": crops})

    def close(self) -> None:
        """Drop the frames of a clip that did not end."""
        if self._open is not None:
            self._open.close()
            self._open = None
