"""Which tar file holds the crops of each face. It depends on the rows alone, not on the builds that made them.

A tar file holds the crops of consecutive faces. It ends after roughly half the wanted bytes, at the first face whose id
is one of a random choice. So adding or removing a face changes one or two files, not all that follow (content-defined
chunking; Muthitacharoen, Chen and Mazières, SOSP 2001).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.checksums import Checksum
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.picture_names import member_beside
from facesieve.dataset.disk.tar import BLOCK, room, tar_name
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.schema import TAR_POSITION
from facesieve.records import Floats, Integers

Members = list[tuple[str, Checksum]]

# A tar file also ends after so many faces without a crop, because they wait in memory until it ends.
_MOST_BARE = 1 << 18


def with_tar_positions(blocks: Iterable[Block], outputs: Outputs) -> Iterator[Block]:
    """Add the columns `TAR_POSITION` to the faces of blocks that have the column `crops`.

    The faces of one tar file are in one block, so faces and pictures of a block may differ in their sources.
    Only the faces from the first crop of a tar file to its end are held in memory, at most `_MOST_BARE` without a crop.
    """
    assert outputs.tar_bytes is not None
    held: Block | None = None
    rooms, draws = np.zeros(0, np.int64), np.zeros(0)  # of the held faces
    for block in blocks:
        held = block if held is None else _after(held, block)
        rooms, draws = np.append(rooms, _rooms(block.faces)), np.append(draws, _draws(block.faces))
        ends = [0, *_ends(rooms, draws, outputs.tar_bytes)]
        for start, end in pairwise(ends):
            yield _placed(_faces_of(held, start, end), outputs)
            held = _without_pictures(held)
        with_crops = np.flatnonzero(rooms[ends[-1] :])
        first = ends[-1] + int(with_crops[0]) if len(with_crops) else len(rooms)
        if len(held.pictures) or first > ends[-1]:  # the faces before the first crop are in no tar file
            yield _placed(_faces_of(held, ends[-1], first), outputs)
            held = _without_pictures(held)
        held = _faces_of(held, first, len(held.faces))
        rooms, draws = rooms[first:], draws[first:]
    if held is not None and len(held.faces):
        yield _placed(held, outputs)


def _after(held: Block, block: Block) -> Block:
    """The held rows, then those of the next block."""
    tables = zip(held, block, strict=True)
    return Block(*(None if one is None else pa.concat_tables([one, other]) for one, other in tables))


def _faces_of(block: Block, start: int, end: int) -> Block:
    """The block with some of its faces, and all its pictures."""
    embeddings = None if block.embeddings is None else block.embeddings.slice(start, end - start)
    return Block(block.faces.slice(start, end - start), block.pictures, embeddings)


def _without_pictures(block: Block) -> Block:
    """The block without its pictures, which were yielded already."""
    return block._replace(pictures=block.pictures.slice(len(block.pictures)))


def members_of(faces: pa.Table, outputs: Outputs) -> Members:
    """The members of the tar file that holds the crops of these faces, in order."""
    written = faces.filter(pc.is_valid(faces["file_name"]))
    found = Members()
    for name, crops in zip(*(written[column].to_pylist() for column in ("file_name", "crops")), strict=True):
        for what, crop in zip(("", *outputs.cuts), crops or (), strict=False):
            found.append((member_beside(name, what), Checksum(crop["sha256"], crop["size"])))
    return found


def _ends(rooms: Integers, draws: Floats, tar_bytes: int) -> list[int]:
    """Where each complete tar file ends: the index of the first face that is not in it."""
    found, start, lowest = list[int](), 0, tar_bytes // 2
    ends, bare, crops = np.cumsum(rooms), np.cumsum(rooms == 0), np.flatnonzero(rooms)
    chosen = np.flatnonzero((rooms > 0) & (draws * (tar_bytes - lowest) < rooms))
    while True:
        start = int(crops[at]) if (at := int(np.searchsorted(crops, start))) < len(crops) else len(rooms)
        if start == len(rooms):
            return found
        before = ends[start - 1] if start else 0
        # The first face, and the first chosen one, before which there are enough bytes.
        full, enough = (int(np.searchsorted(ends, before + size)) + 1 for size in (2 * tar_bytes, lowest))
        full = min(full, int(np.searchsorted(bare, bare[start] + _MOST_BARE)) + 1)
        at = int(np.searchsorted(chosen, enough))
        end = min(full, int(chosen[at]) if at < len(chosen) else len(rooms))
        if end >= len(rooms):
            return found
        found.append(end)
        start = end


def _rooms(faces: pa.Table) -> Integers:
    """(N,) int64: the bytes that the crops of each face take in a tar file."""
    crops = pc.if_else(pc.is_valid(faces["file_name"]), faces["crops"], pa.scalar(None, faces["crops"].type))
    crops = crops.combine_chunks() if isinstance(crops, pa.ChunkedArray) else crops
    sizes = np.asarray(pc.struct_field(crops.flatten(), "size").fill_null(0)).astype(np.int64)
    owner = np.asarray(pc.list_parent_indices(crops)).astype(np.int64)
    rooms = BLOCK + -(-sizes // BLOCK) * BLOCK
    return np.bincount(owner, weights=rooms, minlength=len(faces)).astype(np.int64)


def _draws(faces: pa.Table) -> Floats:
    """(N,) float64: a number in [0, 1) for each face, always the same for the same face."""
    numbers = [zlib.crc32(face_id.encode()) for face_id in faces["face_id"].to_pylist()]
    return np.array(numbers, np.float64) / 2**32


def _placed(block: Block, outputs: Outputs) -> Block:
    """The faces of one tar file with its name and their positions in it. They are null where no crop was written."""
    faces = block.faces
    members = members_of(faces, outputs)
    shard = f"shards/{tar_name(members)}"
    end, positions = 0, dict[str, tuple[int, int]]()
    for name, known in members:
        positions[name] = (end + BLOCK, known.size)
        end += room(known.size)
    found = [positions.get(name, (None, None)) for name in faces["file_name"].to_pylist()]
    shards = [None if offset is None else shard for offset, _ in found]
    offsets, sizes = [offset for offset, _ in found], [size for _, size in found]
    for field, values in zip(TAR_POSITION, (shards, offsets, sizes), strict=True):
        faces = faces.append_column(field, pa.array(values, field.type))
    return block._replace(faces=faces)
