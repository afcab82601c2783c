"""Which crops the tar files of a dataset hold, and which are lost: a row names them, but no tar file holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.checksums import Checksum, checksum_of
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.tar import TarDamagedError, is_complete, members_in, positions_in, tar_name
from facesieve.dataset.manifests import open_manifests
from facesieve.dataset.tables.hashes import Hashes, HashSet, hashes_of
from facesieve.dataset.tables.named_files import NAMING_COLUMNS, crops_of_part
from facesieve.dataset.tables.resolve import resolve
from facesieve.dataset.tables.tar_layout import members_of
from facesieve.errors import DatasetError
from facesieve.run.contents import Contents
from facesieve.run.faults import Fault, FaultCode, fault_of
from facesieve.run.ledger import Ledger


def tars_on_disk(layout: Layout) -> list[str]:
    """The names of the tar files in the folder that readers see, sorted."""
    return sorted(name for name in layout.picture_files() if name.endswith(".tar"))


def lost_crops(ledger: Ledger) -> set[str]:
    """The aligned crops that the rows name and no tar file holds, as far as names and the ends of files show it."""
    present = _present(ledger.layout)
    lost = set[str]()
    with resolve(ledger.tables, ledger.layout.scratch) as found:
        for part in found.resolved(ledger.tables(NAMING_COLUMNS)):
            names = list(crops_of_part(part))
            lost |= {name for name, one in zip(names, present.has(hashes_of(names)), strict=True) if not one}
    return lost


def _present(layout: Layout) -> HashSet:
    """Hashes of the names of all members. Tar files that the manifest lists are not opened, except for their ends."""
    complete = {name for name in tars_on_disk(layout) if is_complete(layout.root / name)}
    chunks, listed = list[Hashes](), set[str]()
    try:
        for rows in open_manifests(layout.root).face_tables(["file_name", "shard"]):
            there = rows.filter(pc.is_in(rows["shard"], pa.array(sorted(complete), pa.string())))
            chunks.append(hashes_of(there["file_name"].to_pylist()))
            listed.update(pc.unique(there["shard"]).to_pylist())
    except DatasetError:  # it is not published, or damaged: what it did not list is read from the tar files
        pass
    unlisted = [layout.root / name for name in complete - listed]
    of_shards = [layout.unpacked_of(number) for number in layout.numbers(layout.unpacked)]
    chunks += [hashes_of([position.name for position in positions_in(path)]) for path in (*unlisted, *of_shards)]
    return HashSet(chunks)


@dataclass(frozen=True, slots=True)
class TarCheck:
    """What a check of all tar files found.

    faults: of tar files, or of crops if every tar file is intact. listed: names of tar files that the manifest lists.
    lost: the aligned crops that rows name and no tar file holds. files: how many tar files were checked.
    """

    faults: tuple[Fault, ...]
    listed: frozenset[str]
    lost: frozenset[str]
    files: int

    @property
    def damaged(self) -> frozenset[str]:
        """The names of the tar files that are damaged."""
        return frozenset(fault.name for fault in self.faults if fault.code == FaultCode.DAMAGED)


def check_tars(contents: Contents) -> TarCheck:
    """Read every tar file of a dataset with a ledger, and compare its members with the rows."""
    layout = contents.layout
    there = tars_on_disk(layout)
    of_parts = sorted(set(layout.numbers(layout.unpacked)) & set(contents.parts))
    unpacked = [layout.name_of(layout.unpacked_of(number)) for number in of_parts]
    faults, chunks = list[Fault](), list[Hashes]()
    for name in (*there, *unpacked):
        try:
            members, whole = _readable_members(layout.root / name)
        except DatasetError as error:
            faults.append(fault_of(error, name))
            continue
        chunks.append(hashes_of(members))
        if not whole or (name in there and tar_name(members) != Path(name).name):
            faults.append(Fault(FaultCode.DAMAGED, name))
    listed = _listed(layout)
    if listed is None:
        listed = frozenset(there)
    faults += [Fault(FaultCode.MISSING, name) for name in sorted(listed - set(there))]
    lost = frozenset(_without_members(contents, HashSet(chunks)))
    if not faults:
        faults += [Fault(FaultCode.MISSING, name) for name in sorted(lost)]
    return TarCheck(tuple(faults), listed, lost, len(listed | set(unpacked)))


def _readable_members(path: Path) -> tuple[list[tuple[str, Checksum]], bool]:
    """The members up to the first damage, and whether there is none."""
    members = list[tuple[str, Checksum]]()
    try:
        for member in members_in(path):
            members.append((member.name, checksum_of(member.data)))
    except TarDamagedError:
        return members, False
    return members, True


def _listed(layout: Layout) -> frozenset[str] | None:
    """The tar files in the manifest; None if it cannot be read."""
    found = set[str]()
    try:
        for rows in open_manifests(layout.root).face_tables(["shard"]):
            found.update(pc.unique(rows["shard"]).drop_null().to_pylist())
    except DatasetError:
        return None
    return frozenset(found)


def _without_members(contents: Contents, present: HashSet) -> Iterator[str]:
    """Yield the name of the aligned crop of every face that has a crop which no tar file holds."""
    for block in contents.ledger_blocks():
        members = members_of(block.faces, contents.outputs)
        there = present.has(hashes_of(members))
        by_face = len(contents.outputs.cuts) + 1
        for at in sorted({index // by_face for index in np.flatnonzero(~there).tolist()}):
            yield members[at * by_face][0]
