"""Removes rows and faces from a ledger that were forgotten before and were found again, such as a copy of a photo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.inputs import input_keys
from facesieve.dataset.tables.resolve import Resolution, resolve
from facesieve.records import Mask
from facesieve.run.forgotten import Entry, ForgottenHashes, Kind, file_entries, label_bytes, place_bytes
from facesieve.run.keep_rows import keep_rows, without_faces
from facesieve.run.ledger import Ledger
from facesieve.run.lists import hash_of, remove_pictures
from facesieve.run.selection import SEARCHED, Row, key_of


@contextmanager
def resolved_without_forgotten(ledger: Ledger, outputs: Outputs) -> Iterator[Resolution]:
    """Remove what was forgotten, then find the conflicts between the rows, for a command that publishes the ledger.

    A killed build leaves parts that were not searched for it yet. Raises DatasetError like `drop_forgotten`.
    """
    drop_forgotten(ledger, ForgottenHashes(ledger.layout), outputs)
    with resolve(ledger.tables, ledger.layout.scratch) as found:
        yield found


def drop_forgotten(ledger: Ledger, forgotten: ForgottenHashes, outputs: Outputs) -> int:
    """Remove what was forgotten from all parts. Returns how many pictures were removed or have lost faces.

    Their files are removed when the dataset is published. Raises DatasetError if a part is damaged or a write fails.
    """
    total = 0
    for number in ledger.numbers() if forgotten else ():
        searched = ledger.table(number, SEARCHED)
        gone, faces = _gone(searched, forgotten), _gone_faces(searched, forgotten)
        if not (gone.any() or faces):
            continue
        rows = ledger.table(number)
        before = rows.to_pylist()
        after = [
            None if whole else without_faces(row, faces, outputs)
            for row, whole in zip(before, gone.tolist(), strict=True)
        ]
        _remember([row for row, kept in zip(before, after, strict=True) if kept is None], forgotten, ledger)
        kept_rows = [row for row in after if row is not None]
        keep_rows(ledger, number, pa.Table.from_pylist(kept_rows, schema=rows.schema), outputs)
        total += sum(kept is not row for row, kept in zip(before, after, strict=True))
    return total


def _remember(rows: Sequence[Row], forgotten: ForgottenHashes, ledger: Ledger) -> None:
    """Remember the files of these rows, so that the next build need not read them."""
    forgotten.add(entry for row in rows for entry in file_entries(key_of(row), row["fingerprint"]))
    remove_pictures(ledger.layout, {hash_of(key_of(row)) for row in rows})


def lift_found(ledger: Ledger, forgotten: ForgottenHashes) -> None:
    """Allow everything again that the ledger has: its labels, pictures, files and faces."""
    if not forgotten:
        return
    for rows in ledger.tables([*SEARCHED, "fingerprint"]):
        forgotten.lift(entry for row in rows.to_pylist() for entry in _entries(row))
    forgotten.write()


def _entries(row: Row) -> list[Entry]:
    key, picture_id = key_of(row), row["picture_id"]
    return [
        (Kind.LABEL, label_bytes(row["label"])),
        (Kind.PLACE, place_bytes(key, picture_id)),
        (Kind.PICTURE, (picture_id or "").encode()),
        *file_entries(key, row["fingerprint"]),
        *((Kind.FACE, face["face_id"].encode()) for face in row["faces"]),
    ]


def _gone(rows: pa.Table, forgotten: ForgottenHashes) -> Mask:
    """(N,) which rows were forgotten as a whole."""
    keys, ids = input_keys(rows).to_pylist(), rows["picture_id"].to_pylist()
    return (
        forgotten.has(Kind.LABEL, [label_bytes(label) for label in rows["label"].to_pylist()])
        | forgotten.has(Kind.PICTURE, [(one or "").encode() for one in ids])
        | forgotten.has(Kind.PLACE, [place_bytes(*pair) for pair in zip(keys, ids, strict=True)])
    )


def _gone_faces(rows: pa.Table, forgotten: ForgottenHashes) -> set[str]:
    ids = rows["faces"].combine_chunks().flatten().field("face_id").to_pylist()
    found = forgotten.has(Kind.FACE, [one.encode() for one in ids]).tolist()
    return {one for one, gone in zip(ids, found, strict=True) if gone}
