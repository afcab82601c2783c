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
        self._share = 0.0  # of the open clip, that was reported

    def takes(self, record: Record) -> bool:
        """Whether a record is a frame of a clip."""
        return record.photo is not None and record.photo.time is not None

    def write(self, record: Record, add: Callable[[str, bytes], Checksum]) -> Tally:
        """Take a frame. After the last one, write the clip, and return its counts; before, how far it is."""
        from facesieve.dataset.about import write_clips  # late, so that workers of a build without clips start sooner

        runner = self._runner
        if self._open is None:
            scratch = runner.layout.scratch
            self._open = OpenClip(runner.measures, runner.outputs, runner.settings, runner.model, scratch)
        self._open.add(record)
        assert record.photo is not None
        if record.photo.clip is None:
            more, self._share = record.photo.share - self._share, record.photo.share
            return Tally(frames=1, share=more)
        clip = self._open.judged(record, runner.policy)
        with self._open.marked_video(clip) as videos, runner.permitted():
            write_clips(ClipOptions(**runner.settings.of_clips()), runner.layout)
            self._files.update(runner.write_files(self._open.marked(clip)))
            self._files.update(runner.write_stream(name, write) for name, write in videos)
            faces = self._with_crops(self._open, clip, add)
        self._rows.add_clip(record, faces, self._open.thumbnails(clip))
        return Tally(1, 0, clip.kept, clip.rejected, frames=1) + self.drop()

    def _with_crops(self, opened: OpenClip, clip: JudgedClip, add: Callable[[str, bytes], Checksum]) -> pa.StructArray:
        """Write the crops. Returns the faces with the checksums of those that are in a tar file."""
        if not self._runner.outputs.in_tars:
            self._files.update(self._runner.write_files((name, data) for _, name, data in opened.crops(clip)))
            return clip.faces
        crops = [list[dict[str, Any]]() for _ in range(len(clip.faces))]
        for row, name, data in opened.crops(clip):
            crops[row].append(asdict(add(name, data)))
        return with_columns(clip.faces, {"crops": crops})

    def drop(self) -> Tally:
        """Drop the frames of the open clip, which is written or did not end. Returns minus what was reported of it."""
        if self._open is not None:
            self._open.close()
        lost, self._open, self._share = Tally(share=-self._share), None, 0.0
        return lost

    def close(self) -> None:
        """Drop the frames of a clip that did not end."""
        self.drop()
