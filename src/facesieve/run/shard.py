"""Runs one shard: sends its pictures through the pipeline, writes the crops, and commits the rows to the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import BinaryIO, Protocol

from facesieve.dataset.disk.atomic import open_for_writing, sync_folders, write_file
from facesieve.dataset.disk.checksums import Checksum, checksum_of, checksum_of_file
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.tar import END, write_member
from facesieve.dataset.tables.part_rows import PartRows
from facesieve.draw.encode import thumbnail
from facesieve.records import Record, Refusal, RefusalCode, Source
from facesieve.run.clip_writer import ClipWriter
from facesieve.run.ledger import Ledger
from facesieve.run.permit import Permit
from facesieve.run.picture_files import picture_files, tar_members
from facesieve.run.plan import Shard
from facesieve.run.progress import Tally
from facesieve.settings import Settings
from facesieve.sieve import Policy
from facesieve.sources.remote.remote import Remote


class BuildPipeline(Protocol):
    """What a build needs of a pipeline: one record per source, in order, with few of them in memory at a time."""

    def stream(self, sources: Iterable[Source], /) -> Iterator[Record]: ...


@dataclass(frozen=True, slots=True)
class ShardRunner:
    """Runs shards and commits them, in any process.

    measures: names of the measure columns, in order. permit: held while anything is written; None where the process
    cannot outlive its build. model: sha256 of the model that the pipeline computes embeddings with; "" for none.
    policy: the rules that judge the faces of a clip when it has ended.
    """

    layout: Layout
    settings: Settings
    measures: tuple[str, ...]
    outputs: Outputs
    permit: Permit | None = None
    model: str = ""
    policy: Policy = field(default_factory=Policy.preset)

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

    def committed(self, shard: Shard) -> Tally | None:
        """The counts of a shard that is committed already; None if it is not. Raises DatasetError if it is damaged."""
        if not self.layout.part(shard.number).exists():
            return None
        rows = Ledger(self.layout).table(shard.number)
        kept = rows["faces"].combine_chunks().flatten().field("kept").to_pylist()
        refused = len(rows) - rows["refusal"].null_count
        return Tally(len(rows), refused, sum(kept), len(kept) - sum(kept))

    def _commit(self, shard: Shard, records: Iterable[Record]) -> Iterator[Tally]:
        rows, files = PartRows(self.measures, self.outputs, self.model), dict[str, frozenset[Checksum]]()
        clips = ClipWriter(self, rows, files)

        def write(record: Record) -> Tally:
            if clips.takes(record):
                return clips.write(record, add)
            unread = clips.drop()  # a refusal ends an open clip, whose frames then do not count
            with self.permitted():
                files.update(self.write_files(picture_files(record, self.outputs, self.settings)))
            crops = {name: add(name, data) for name, data in tar_members(record, self.outputs, self.settings)}
            rows.add(record, [thumbnail(face.crop) for face in record.faces], crops)
            return unread + Tally.of(record)

        with self._crops(shard) as add, closing(clips):
            yield from map(write, records)  # a `for` loop would hold one picture while the next one is decoded
        crops = [self.layout.unpacked_of(shard.number)] if self.outputs.in_tars else []
        with self.permitted():
            sync_folders([*(self.layout.root / name for name in files), *crops], self.layout.root)
            Ledger(self.layout).commit(shard.number, rows.part(), rows.thumbs(), files)

    def permitted(self) -> AbstractContextManager[None]:
        """Hold the permit to write, if there is one."""
        return self.permit.held() if self.permit else nullcontext()

    @contextmanager
    def _crops(self, shard: Shard) -> Iterator[Callable[[str, bytes], Checksum]]:
        """Yield a function that adds a crop to the tar file of the shard, in a dataset that has tar files."""
        target = self.layout.unpacked_of(shard.number)
        opened = open_for_writing(target, self.layout.scratch) if self.outputs.in_tars else BytesIO()
        with ExitStack() as permitted, opened as stream:

            def add(name: str, data: bytes) -> Checksum:
                write_member(name, data, stream)
                return checksum_of(data)

            yield add
            stream.write(END)
            permitted.enter_context(
                self.permitted()
            )  # the file takes its name when the stream closes, before this ends

    def write_stream(self, name: str, write: Callable[[BinaryIO], None]) -> tuple[str, frozenset[Checksum]]:
        """Write one file with a function. Returns its name and its checksum."""
        path = self.layout.root / name
        with open_for_writing(path, self.layout.scratch) as stream:
            write(stream)
        return name, frozenset([checksum_of_file(path)])

    def write_files(self, files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, frozenset[Checksum]]]:
        """Write picture files. Yields the name and the checksum of each."""
        for name, data in files:
            write_file(data, self.layout.root / name, self.layout.scratch)
            yield name, frozenset([checksum_of(data)])


def _reporting(sources: Sequence[Source], on_start: Callable[[int], None], settings: Settings) -> Iterator[Source]:
    """Yield the sources in order; those behind URLs are fetched ahead and carry their bytes.

    on_start: called with the index of a source before it is yielded. It is called repeatedly while a download is
    awaited or a clip is read, because a silent process is killed.
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
        yield replace(source, waiting=waiting)
        index += 1
