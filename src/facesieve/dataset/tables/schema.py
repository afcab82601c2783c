"""The columns of the manifests, of a ledger part and of the thumbnails, in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from facesieve.records import ANGLES, EMBEDDING_SIZE, POINTS

BOX = ("box_x", "box_y", "box_w", "box_h")
LANDMARKS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")
CROP_HASH = "crop_hash"  # null for a flat crop, and in rows that earlier versions wrote
LEADING = ("confidence", *ANGLES, "blur")


def measure_columns(measures: Iterable[str]) -> tuple[str, ...]:
    """The names of the measure columns: the leading five, then every other measure in the given order."""
    return LEADING + tuple(name for name in measures if name not in LEADING)


# The crops of a face in the ledger of a dataset with tar files: the aligned one, then the unaligned ones in order.
CROPS = pa.field("crops", pa.list_(pa.struct([pa.field("sha256", pa.string()), pa.field("size", pa.int64())])))
# Where the aligned crop of a face is: the tar file, and the position of its bytes in it.
TAR_POSITION = (pa.field("shard", pa.string()), pa.field("offset", pa.int64()), pa.field("size", pa.int64()))


# The columns that only a dataset with clips has. They are null for still pictures.
OF_FRAMES = (pa.field("frame", pa.int32()), pa.field("time", pa.float64()), pa.field("track", pa.int32()))
OF_CLIPS = (
    pa.field("frames", pa.int32()),
    pa.field("duration", pa.float64()),
    pa.field("fps", pa.float64()),
    pa.field("codec", pa.string()),
    pa.field("truncated", pa.string()),
)
TRACK_RELATIONS = ("track_length", "rank_in_track")  # further measures of a dataset with clips


def face_fields(measures: Iterable[str], clips: bool = False) -> list[pa.Field]:
    """The columns of a face that do not come from its picture. A null number was not measured."""
    numbers = (*BOX, *LANDMARKS, *measure_columns(measures))
    return [
        pa.field("face_id", pa.string()),
        *(OF_FRAMES if clips else ()),
        *(pa.field(name, pa.float64()) for name in numbers),
        pa.field("kept", pa.bool_()),
        pa.field("reasons", pa.list_(pa.string())),
        pa.field("file_name", pa.string()),
        pa.field(CROP_HASH, pa.binary()),
    ]


def column_names() -> frozenset[str]:
    """The columns of a face that are not measures."""
    faces = {
        *(field.name for field in face_fields((), clips=True)),
        "picture_id",
        "source",
        "label",
        *(field.name for field in TAR_POSITION),
        CROPS.name,
    }
    return frozenset(faces - set(LEADING))


def face_schema(measures: Iterable[str], in_tars: bool = False, clips: bool = False) -> pa.Schema:
    """`faces.parquet`: one row per face, kept or not.

    in_tars: whether the crops are in tar files. clips: whether the dataset has clips.
    """
    face_id, *rest = face_fields(measures, clips)
    of_picture = (pa.field(name, pa.string()) for name in ("picture_id", "source", "label"))
    return pa.schema([face_id, *of_picture, *rest, *(TAR_POSITION if in_tars else ())])


PICTURE_FIELDS = (
    pa.field("picture_id", pa.string()),
    pa.field("source", pa.string()),
    pa.field("label", pa.string()),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("format", pa.string()),
    pa.field("turn", pa.int32()),
)
# Columns that were added after format 1 was first released. In a file without them they read as null.
LATER: tuple[str, ...] = (
    *("prominence", "fitness", "faces_in_picture", "rank_in_picture", "pose_spread", CROP_HASH),
    *(field.name for field in (*OF_FRAMES, *OF_CLIPS)),
    *TRACK_RELATIONS,
)
REFUSAL_FIELDS = (pa.field("refusal", pa.string()), pa.field("message", pa.string()))


def picture_schema(clips: bool = False) -> pa.Schema:
    """`pictures.parquet`: one row per input, refused or not. clips: whether the dataset has clips."""
    counts = [pa.field("faces", pa.int32()), pa.field("kept", pa.int32())]
    return pa.schema([*PICTURE_FIELDS, *(OF_CLIPS if clips else ()), *counts, *REFUSAL_FIELDS])


# In a face of a ledger part, if the build computes embeddings: the numbers as little-endian float16, or why not.
EMBEDDING_FIELDS = (pa.field("embedding", pa.binary(2 * EMBEDDING_SIZE)), pa.field("no_embedding", pa.string()))


def embedding_schema() -> pa.Schema:
    """`embeddings.parquet`: one row per row of `faces`, in the same order.

    `embedding` is null if there is none, and then `no_embedding` says why (a code of `NoEmbedding`). Its lists have 128
    numbers; the type does not say so, because pyarrow up to version 21 cannot read nulls among lists of fixed size.
    """
    numbers = pa.list_(pa.float16())
    return pa.schema(
        [pa.field("face_id", pa.string()), pa.field("embedding", numbers), pa.field("no_embedding", pa.string())]
    )


def part_schema(
    measures: Iterable[str], in_tars: bool = False, embedded: bool = False, clips: bool = False
) -> pa.Schema:
    """A ledger part: one row per input, with its faces nested inside, and with what identifies the input.

    `identity` tells inputs apart. It is null in rows that version 0.1.0 wrote; there `source` tells them apart.
    in_tars: whether the crops are in tar files. embedded: whether faces have embeddings. clips: whether it has clips.
    """
    later = (*([CROPS] if in_tars else ()), *(EMBEDDING_FIELDS if embedded else ()))
    faces = pa.list_(pa.struct([*face_fields(measures, clips), *later]))
    evidence = [pa.field("fingerprint", pa.string()), pa.field("identity", pa.binary())]
    of_clips = OF_CLIPS if clips else ()
    return pa.schema([*PICTURE_FIELDS, *of_clips, *REFUSAL_FIELDS, *evidence, pa.field("faces", faces)])


def with_later_columns(table: pa.Table, schema: pa.Schema, later: Sequence[str] | None = None) -> pa.Table:
    """The table with its missing columns added as nulls, each in its position in the schema.

    later: the columns that may be missing, by default `LATER`. In a list of faces they are added to each face.
    """
    later = LATER if later is None else later
    for field in schema:
        at = table.schema.get_field_index(field.name)
        if at < 0 and field.name in later:
            position = min(schema.get_field_index(field.name), table.num_columns)
            table = table.add_column(position, field, pa.nulls(len(table), field.type))
        elif at >= 0 and pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type):
            held = table.schema.field(at).type.value_type
            added = [f for f in field.type.value_type if f.name in later and held.get_field_index(f.name) < 0]
            if added:
                faces = _with_fields(table[field.name].combine_chunks(), added, field.type.value_type)
                table = table.set_column(at, field.name, faces)
    return table


def _with_fields(lists: pa.ListArray, added: Sequence[pa.Field], wanted: pa.StructType) -> pa.ListArray:
    """Lists of structs with more fields, all null. Fields are in the order of `wanted`, unknown ones at the end."""
    held, structs = {field.name: field for field in lists.type.value_type}, lists.values
    positions = {field.name: position for position, field in enumerate(wanted)}
    fields = sorted([*held.values(), *added], key=lambda field: positions.get(field.name, len(positions)))
    columns = [structs.field(f.name) if f.name in held else pa.nulls(len(structs), f.type) for f in fields]
    return pa.ListArray.from_arrays(lists.offsets, pa.StructArray.from_arrays(columns, fields=fields))


THUMB_SCHEMA = pa.schema([pa.field("face_id", pa.string()), pa.field("jpeg", pa.binary())])
