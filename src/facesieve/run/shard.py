"""The work on one shard: pictures through the pipeline, crops to their places, rows to the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from facesieve.dataset.disk.atomic import sync_folders, write_file
from facesieve.dataset.disk.checksums import Checksum, checksum_of
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.part_rows import PartRows
from facesieve.draw.encode import thumbnail
from facesieve.records import Record, Refusal, RefusalCode, Source
from facesieve.run.ledger import Ledger
from facesieve.run.picture_files import picture_files
from facesieve.run.plan import Shard
from facesieve.run.progress import Tally
from facesieve.settings import Settings


class Streams(Protocol):
    """What a build needs of a pipeline: one record per source, in order, few of them in memory at a time."""

    def stream(self, sources: Iterable[Source], /) -> Iterator[Record]: ...


@dataclass(frozen=True, slots=True)
class Work:
    """What to do with a shard, wherever it is done. measures: names of the columns of raw numbers, in order."""

    layout: Layout
    settings: Settings
    measures: tuple[str, ...]
    outputs: Outputs

    def do(self, shard: Shard, pipeline: Streams, begun: Callable[[int], None] = lambda place: None) -> Iterator[Tally]:
        """Do a shard and commit it; yields the counts of each picture as it is done.

        begun: called with a picture's place in the shard before it is read, perhaps from another thread.
        Raises DatasetError where the disk refuses. A shard that does not reach its end leaves no part.
        """
        return self._commit(shard, pipeline.stream(_announced(shard.sources, begun)))

    def refuse(self, shard: Shard, code: RefusalCode) -> Iterator[Tally]:
        """Commit a shard whose pictures are all refused."""
        refusals = (Refusal(source, code.value, code.sentence) for source in shard.sources)
        return self._commit(shard, (Record(refusal.source, refusal=refusal) for refusal in refusals))

    def _commit(self, shard: Shard, records: Iterable[Record]) -> Iterator[Tally]:
        rows, files = PartRows(self.measures, self.outputs), dict[str, frozenset[Checksum]]()

        def publish(record: Record) -> Tally:
            files.update(self._write(record))
            rows.add(record, [thumbnail(face.crop) for face in record.faces])
            return Tally.of(record)

        yield from map(publish, records)  # unlike a loop's variable, `map` holds no picture while the next is decoded
        sync_folders([self.layout.root / name for name in files], self.layout.root)
        Ledger(self.layout).commit(shard.number, rows.part(), rows.thumbs(), files)

    def _write(self, record: Record) -> Iterator[tuple[str, frozenset[Checksum]]]:
        for name, data in picture_files(record, self.outputs, self.settings):
            write_file(data, self.layout.root / name, self.layout.scratch)
            yield name, frozenset([checksum_of(data)])


def _announced(sources: Sequence[Source], begun: Callable[[int], None]) -> Iterator[Source]:
    for place, source in enumerate(sources):
        begun(place)
        yield source
