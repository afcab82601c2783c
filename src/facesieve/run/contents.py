"""What can be read of a dataset that may be damaged; what cannot be read becomes a fault."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from facesieve.dataset.about import read_about, read_made
from facesieve.dataset.decision_file import read_applied
from facesieve.dataset.disk.checksums import Checksum, Checksums, checksum_pairs, checksums_by_name, read_checksums
from facesieve.dataset.disk.format import OTHER_FORMAT
from facesieve.dataset.disk.layout import HIDDEN, Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.own_file import damaged_file
from facesieve.dataset.disk.parquet import row_count
from facesieve.dataset.manifests import open_with_checksums
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.decisions import NO_DECISIONS, Decisions
from facesieve.dataset.tables.join import join_checksums
from facesieve.dataset.tables.merge import Block, merge_parts
from facesieve.dataset.tables.named_files import NAMING_COLUMNS, files_of_part, named_files
from facesieve.dataset.tables.resolve import resolve, with_part_schema
from facesieve.dataset.tables.tar_layout import with_tar_positions
from facesieve.errors import DatasetError
from facesieve.run.dataset_rules import compared_verdicts
from facesieve.run.faults import Fault, fault_of
from facesieve.run.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Contents:
    """What could be read of a dataset.

    origin: how it was made. parts: numbers of the parts of the ledger whose rows could be read, ascending.
    published: checksums of the published files; empty if they could not be read.
    damaged_sums: names of the checksum files that could not be read.
    """

    layout: Layout
    origin: Origin
    parts: tuple[int, ...]
    published: Checksums
    damaged_sums: frozenset[str]

    @property
    def outputs(self) -> Outputs:
        return self.origin.options.outputs

    def table(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of one part. Raises DatasetError when it is missing, damaged or has another format."""
        return Ledger(self.layout).read(number, columns, self.known(number))

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows of the readable parts, one part at a time."""
        return (self.table(number, columns) for number in self.parts)

    def sums(self, number: int) -> Checksums:
        """The checksums of the files of a shard; empty if they are damaged."""
        path = self.layout.sums_of(number)
        return {} if self.layout.name_of(path) in self.damaged_sums else read_checksums(path)

    def known(self, number: int) -> frozenset[Checksum]:
        """The checksums that the part of a shard may have; empty if those of the shard are damaged."""
        if self.layout.name_of(self.layout.sums_of(number)) in self.damaged_sums:
            return frozenset()
        name = self.layout.name_of(self.layout.part(number))
        return self.sums(number).get(name, frozenset()) | self.published.get(name, frozenset())

    def own_sums(self) -> Checksums:
        """The checksums of all files that are not pictures."""
        numbers = self.layout.numbers(self.layout.sums)
        hidden = (
            pair for number in numbers for pair in checksum_pairs(self.sums(number)) if pair[0].startswith(HIDDEN)
        )
        return checksums_by_name([*hidden, *checksum_pairs(self.published)])

    def names(self) -> Iterator[tuple[Collection[str], Checksums]]:
        """The names of the picture files in the manifests, in blocks, with the checksums of at least these files."""
        if not has_ledger(self.layout):
            yield from self._names_of_manifests()
            return
        with resolve(self.tables, None) as found:
            for number, part in zip(self.parts, found.resolved(self.tables(NAMING_COLUMNS)), strict=True):
                yield files_of_part(part, self.outputs), self.sums(number)

    def blocks(self) -> Iterator[Block]:
        """The rows of the manifests. With a ledger, the rows that they should have."""
        if not has_ledger(self.layout):
            return open_with_checksums(self.layout, self.published).blocks()
        verdicts = compared_verdicts(self.origin, self.layout, self.ledger_blocks, self._applied())
        blocks = (new for _, new in verdicts.on(self.ledger_blocks())) if verdicts else self.ledger_blocks()
        if not self.outputs.in_tars:
            return blocks
        names = self.origin.face_schema.names
        return (block._replace(faces=block.faces.select(names)) for block in with_tar_positions(blocks, self.outputs))

    def _applied(self) -> Decisions | None:
        """The decisions that were applied. If their record is damaged, which is a fault of its own: none."""
        try:
            return read_applied(self.layout)
        except DatasetError as error:
            if error.code != "damaged_decisions":
                raise
            return NO_DECISIONS

    def ledger_blocks(self, embeddings: bool = True) -> Iterator[Block]:
        """The rows of the ledger, without the positions in tar files and the verdicts of `compared_verdicts`."""
        model, clips = self.origin.embedded_with if embeddings else "", self.origin.clips is not None
        return merge_parts(self.tables, self.origin.measures, in_tars=self.outputs.in_tars, model=model, clips=clips)

    def sources(self) -> Iterator[list[str]]:
        """The names of the inputs in the readable parts, in blocks."""
        with resolve(self.tables, None) as found:
            for part in found.resolved(self.tables(["source"])):
                yield part.counted_rows["source"].to_pylist()

    def _names_of_manifests(self) -> Iterator[tuple[Collection[str], Checksums]]:
        names = (dict.fromkeys(named_files(block.faces, block.pictures, self.outputs), "") for block in self.blocks())
        sums = (self.sums(number) for number in self.layout.numbers(self.layout.sums))
        faces = sum(map(row_count, self.layout.files_of(self.layout.faces)))
        return join_checksums(names, sums, faces * (1 + len(self.outputs.cuts)), None)


def read_contents(layout: Layout, faults: list[Fault]) -> Contents:
    """Read what can be read, and append a fault for everything else.

    Raises DatasetError when nothing can be read that says how the dataset was made.
    """
    published, damaged_sums = dict[str, frozenset[Checksum]](), set[str]()
    parts = {number: layout.name_of(layout.part(number)) for number in layout.numbers(layout.parts)}
    listed = {layout.sums_of(number): parts.get(number) for number in layout.numbers(layout.sums)}
    for path, name in {layout.published_sums: layout.name_of(layout.about), **listed}.items():
        try:
            sums = read_checksums(path)
            if sums and name and name not in sums:  # the file was swapped with another one
                raise damaged_file(path)
            published = sums if path == layout.published_sums else published
        except DatasetError as error:
            damaged_sums.add(layout.name_of(path))
            faults.append(fault_of(error, layout.name_of(path)))
    origin = _origin(layout, published, faults)
    contents = Contents(layout, origin, tuple(parts), published, frozenset(damaged_sums))
    if not has_ledger(layout):
        open_with_checksums(layout, published)
    return replace(contents, parts=tuple(_readable_parts(contents, faults)))


def has_ledger(layout: Layout) -> bool:
    """Whether a build wrote this dataset. One that `facesieve sieve` wrote has no ledger."""
    return layout.made.exists() or bool(layout.numbers(layout.parts))


def _origin(layout: Layout, sums: Checksums, faults: list[Fault]) -> Origin:
    """How the dataset was made, from either of the two files that record it."""
    found: list[Origin] = []
    errors: list[DatasetError] = []
    for path in [layout.about, *([layout.made] if has_ledger(layout) else [])]:
        known = sums.get(layout.name_of(path), frozenset())
        try:
            found.append(read_about(layout, known).origin if path == layout.about else read_made(layout, known))
        except DatasetError as error:
            if error.code in OTHER_FORMAT:
                raise
            errors.append(error)
            faults.append(fault_of(error, layout.name_of(path)))
    if not found:
        raise errors[0]
    return found[0]


def _readable_parts(contents: Contents, faults: list[Fault]) -> Iterator[int]:
    for number in contents.parts:
        try:
            rows = contents.table(number)
            if not contents.known(number):
                # It raises if these are not the columns of a part.
                origin = contents.origin
                with_part_schema(rows, origin.measures, origin.options.outputs.in_tars, clips=origin.clips is not None)
            yield number
        except DatasetError as error:
            if error.code in ("out_of_memory", *OTHER_FORMAT):
                raise
            faults.append(fault_of(error, contents.layout.name_of(contents.layout.part(number))))
