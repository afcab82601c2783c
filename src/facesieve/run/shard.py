"""The work on one shard: pictures through the pipeline, crops to their places, rows to the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from facesieve.dataset.commit import settle, whole
from facesieve.dataset.files import Outputs, files_of
from facesieve.dataset.layout import Layout
from facesieve.dataset.rows import part_of, thumbs_of
from facesieve.records import Record, Source
from facesieve.run.ledger import Ledger
from facesieve.run.plan import Shard
from facesieve.settings import Settings


class Process(Protocol):
    """What a build needs of a pipeline: one record per source, in order."""

    def process(self, sources: Sequence[Source], /) -> list[Record]: ...


def work(
    shard: Shard, pipeline: Process, layout: Layout, settings: Settings, measures: Sequence[str], outputs: Outputs
) -> Iterator[list[Record]]:
    """Do a shard and commit it; gives the records of each batch as it is done, for whoever counts along.

    Raises DatasetError where the disk refuses. A shard that does not reach its end leaves no part.
    """
    rows, thumbs = [part_of([], measures, outputs)], [thumbs_of([])]
    names: list[str] = []
    for start in range(0, len(shard.sources), settings.batch_size):
        records = pipeline.process(shard.sources[start : start + settings.batch_size])
        names += [name for record in records for name in _write(record, layout, settings, outputs)]
        rows.append(part_of(records, measures, outputs))
        thumbs.append(thumbs_of(records))
        yield records
    settle([layout.root / name for name in names], layout.root)
    Ledger(layout).commit(shard.number, pa.concat_tables(rows), pa.concat_tables(thumbs))


def _write(record: Record, layout: Layout, settings: Settings, outputs: Outputs) -> Iterator[str]:
    for name, data in files_of(record, outputs, settings):
        with whole(layout.root / name, layout.scratch) as stream:
            stream.write(data)
        yield name
