"""Which pictures a dataset has already, and whether they are the same as then."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

import pyarrow as pa

from facesieve.dataset.distinct import keys_of
from facesieve.dataset.names import plain
from facesieve.records import Source
from facesieve.run.ledger import TRY_AGAIN, Ledger

_COLUMNS = ["source", "identity", "fingerprint", "label", "refusal"]
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Known:
    """The last row of one input: where it stands in the ledger, and what it says.

    renamed: version 0.1.0 wrote the row, and spelled the name in another way than today.
    """

    part: int
    row: int
    fingerprint: str
    label: str
    again: bool
    renamed: bool


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the ledger does not know yet of one of its rows."""

    identity: bytes
    fingerprint: str | None = None


def unfinished(sources: Sequence[Source], ledger: Ledger, limit: int, again: Set[str] = TRY_AGAIN) -> list[Source]:
    """Sources that are new, or whose content or label is not the one that was done.

    A file with the same size and time of writing, but another time of change, is read (at most `limit` bytes) and
    compared by its sha256. A row of version 0.1.0 belongs to the source that it calls by name. What is learnt of a row
    that needs no other look is written into the ledger, so that it is learnt once.
    again: codes of refusals whose pictures are tried again.
    """
    learnt: dict[int, dict[int, Learnt]] = defaultdict(dict)
    known = _known(sources, ledger, again, learnt)
    left, touched = list[Source](), defaultdict[int, list[tuple[Source, Known]]](list)
    for source in sources:
        row = known.get(source.key)
        if row is None or row.again or row.renamed or row.label != plain(source.label):
            left.append(source)
        elif row.fingerprint != source.fingerprint:
            if _only_changed(source, row):
                touched[row.part].append((source, row))
            else:
                left.append(source)
    for part, pairs in touched.items():
        since, ids = ledger.written(part), ledger.table(part, ["picture_id"])["picture_id"]
        for source, row in pairs:
            if _older(source, row, since) or _same_content(source, ids[row.row].as_py(), limit):
                learnt[part][row.row] = Learnt(source.key, source.fingerprint)
            else:
                left.append(source)
    for part, rows in learnt.items():
        ledger.rewrite(part, _with(ledger.table(part), rows))
    return sorted(left, key=lambda source: (source.name, source.key)) if touched else left


def readable(sources: Iterable[Source], ledger: Ledger) -> int:
    """How many of the sources gave pixels, when they were last looked at."""
    wanted, found = {source.key for source in sources}, dict[bytes, bool]()
    for table in ledger.tables(["source", "identity", "refusal"]):
        rows = zip(keys_of(table).to_pylist(), table["refusal"].to_pylist(), strict=True)
        found |= {key: refusal is None for key, refusal in rows if key in wanted}
    return sum(found.values())


def _known(
    sources: Sequence[Source], ledger: Ledger, again: Set[str], learnt: dict[int, dict[int, Learnt]]
) -> dict[bytes, Known]:
    """The last row of every source that has one. Rows without an identity are matched by name, and get one."""
    by_key = {source.key: source for source in sources}
    by_name = {source.former: source for source in sources if source.former}
    by_name |= {source.name: source for source in sources if not source.former}
    found: dict[bytes, Known] = {}
    for part in ledger.numbers():
        table = ledger.table(part, _COLUMNS)
        absent = pa.nulls(len(table), pa.binary())
        columns = [table[name] if name in table.column_names else absent for name in _COLUMNS]
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        for row, (name, identity, fingerprint, label, refusal) in enumerate(rows):
            source = by_name.get(name) if identity is None else by_key.get(identity)
            if source is None:
                continue
            if identity is None:
                learnt[part][row] = Learnt(source.key)
            renamed = identity is None and bool(source.former)
            found[source.key] = Known(part, row, fingerprint, label, refusal in again, renamed)
    return found


def _only_changed(source: Source, row: Known) -> bool:
    """Whether size and time of writing are the same, so that only the content can tell."""
    stamp, _, changed = source.fingerprint.partition("@")
    return bool(changed) and stamp == row.fingerprint.partition("@")[0]


def _older(source: Source, row: Known, since: int) -> bool:
    """Whether a row without a time of change, as version 0.1.0 wrote, is younger than the file's last change."""
    return "@" not in row.fingerprint and int(source.fingerprint.partition("@")[2]) < since


def _same_content(source: Source, picture_id: str | None, limit: int) -> bool:
    if picture_id is None or source.open is None:
        return False
    digest, left = hashlib.sha256(), limit
    try:
        with source.open() as stream:
            while left > 0 and (part := stream.read(min(left, _CHUNK))):
                digest.update(part)
                left -= len(part)
    except Exception:  # the build reads it again and says what is wrong
        return False
    return digest.hexdigest() == picture_id


def _with(table: pa.Table, rows: dict[int, Learnt]) -> pa.Table:
    """The table with what was learnt of some of its rows."""
    known = "identity" in table.column_names
    identities = table["identity"].to_pylist() if known else [None] * len(table)
    fingerprints = table["fingerprint"].to_pylist()
    for row, learnt in rows.items():
        identities[row] = learnt.identity
        fingerprints[row] = learnt.fingerprint or fingerprints[row]
    if known:
        table = table.drop_columns(["identity"])
    at = table.schema.get_field_index("fingerprint")
    table = table.set_column(at, "fingerprint", pa.array(fingerprints, pa.string()))
    return table.add_column(at + 1, pa.field("identity", pa.binary()), pa.array(identities, pa.binary()))
