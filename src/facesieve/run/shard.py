"""Runs one shard: sends its pictures through the pipeline, writes the crops, and commits the rows to the ledger."""

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
from facesieve.sources.remote.remote import Remote


class BuildPipeline(Protocol):
    """What a build needs of a pipeline: one record per source, in order, with few of them in memory at a time."""

    def stream(self, sources: Iterable[Source], /) -> Iterator[Record]: ...


@dataclass(frozen=True, slots=True)
class ShardRunner:
    """Runs shards and commits them, in any process.

    measures: names of the measure columns, in order. model: sha256 of the model that the pipeline computes embeddings
    with; "" for none.
    """

    layout: Layout
    settings: Settings
    measures: tuple[str, ...]
    outputs: Outputs
    model: str = ""

    def run(
        self, shard: Shard, pipeline: BuildPipeline, on_start: Callable[[int], None] = lambda index: None
    ) -> Iterator[Tally]:
        """Run a shard and commit it. Yields the counts of each picture when it is done.

        on_start: called with the index of each picture before it is read, perhaps from another thread.
        Raises DatasetError if a file cannot be written. A shard that does not reach its end leaves no part.
        """
        return self._commit(shard, pipeline.stream(_reporting(shard.sources, on_start, self.settings)))

    def refuse(self, shard: Shard, code: RefusalCode) -> Iterator[Tally]:
        """Commit a shard with all its pictures refused."""
        refusals = (Refusal(source, code.value, code.sentence) for source in shard.sources)
        return self._commit(shard, (Record(refusal.source, refusal=refusal) for refusal in refusals))

    def _commit(self, shard: Shard, records: Iterable[Record]) -> Iterator[Tally]:
        rows, files = PartRows(self.measures, self.outputs, self.model), dict[str, frozenset[Checksum]]()

        def write(record: Record) -> Tally:
            files.update(self._write(record))
            rows.add(record, [thumbnail(face.crop) for face in record.faces])
            return Tally.of(record)

        yield from map(write, records)  # a `for` loop would hold one picture while the next one is decoded
        sync_folders([self.layout.root / name for name in files], self.layout.root)
        Ledger(self.layout).commit(shard.number, rows.part(), rows.thumbs(), files)

    def _write(self, record: Record) -> Iterator[tuple[str, frozenset[Checksum]]]:
        for name, data in picture_files(record, self.outputs, self.settings):
            write_file(data, self.layout.root / name, self.layout.scratch)
            yield name, frozenset([checksum_of(data)])


def _reporting(sources: Sequence[Source], on_start: Callable[[int], None], settings: Settings) -> Iterator[Source]:
    """Yield the sources in order; those behind URLs are fetched ahead and carry their bytes.

    on_start: called with the index of a source before it is yielded, and again and again while its download is awaited,
    so that a slow download is not taken for a process that hangs.
    """
    index = 0

    def waiting() -> None:
        on_start(index)

    drawn = iter(sources)
    if any(isinstance(source.open, Remote) for source in sources):
        from facesieve.sources.remote.prefetch import UrlPrefetch  # builds of files do not wait for its imports

        drawn = UrlPrefetch(settings)(sources, waiting)
    for source in drawn:
        on_start(index)
        yield source
        index += 1
