"""Finished datasets of any number of made-up faces, published without pictures, networks or a ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.atomic import write_file
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.parquet import table_bytes
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.schema import BOX, LANDMARKS, THUMB_SCHEMA
from facesieve.quality import MEASURES
from facesieve.run.publish import publish_dataset
from facesieve.settings import Settings
from facesieve.sieve import Policy
from handmade import build_spec

RULES = [
    {"measure": "confidence", "low": 0.2},
    {"measure": "blur", "low": 30},
    {"measure": "yaw", "low": -45, "high": 45},
]
POLICY = Policy.parse({"name": "made up", "rules": RULES})
NAMES = tuple(measure.name for measure in MEASURES)
AT_ONCE = 50_000
PER_LABEL = 20


def origin() -> Origin:
    return replace(build_spec(Outputs()), policy=POLICY, measures=NAMES).origin()


def face_id(number: int) -> str:
    return hashlib.md5(str(number).encode()).hexdigest()


def many(root: Path, faces: int, label: str = "person {:05d}", thumbs: bool = True) -> Path:
    """Publish a dataset of so many pictures with one face each. label: of each PER_LABEL faces, by their number."""
    layout, made = Layout(root), origin()
    publish_dataset(_blocks(faces, made, label), layout, made, Settings(sheet_faces=1))
    if thumbs:
        _write_thumbs(layout, faces)
    layout.scratch.rmdir()
    return root


def _blocks(faces: int, made: Origin, label: str) -> Iterator[Block]:
    for first in range(0, max(faces, 1), AT_ONCE):
        numbers = np.arange(first, min(first + AT_ONCE, faces))
        yield _block(numbers, made, label)


def _block(numbers: np.ndarray, made: Origin, label: str) -> Block:
    chance, count = np.random.default_rng(len(numbers) + int(numbers[0]) if len(numbers) else 0), len(numbers)
    columns: dict[str, object] = {name: chance.random(count) * 100 for name in (*BOX, *LANDMARKS, *NAMES)}
    columns |= {"confidence": chance.random(count), "yaw": chance.normal(0, 30, count)}
    low = [(columns["confidence"] >= 0.2, "low_confidence"), (columns["blur"] >= 30, "blurred")]
    low.append((np.abs(columns["yaw"]) <= 45, "turned"))
    reasons = [[code for passes, code in low if not passes[at]] for at in range(count)]
    kept = [not why for why in reasons]
    named = {
        "face_id": [face_id(number) for number in numbers],
        "picture_id": [f"{number:064x}" for number in numbers],
        "source": [f"photos/{number:08d}.jpg" for number in numbers],
        "label": [label.format(number // PER_LABEL) for number in numbers],
    }
    columns |= named | {"kept": kept, "reasons": reasons}
    columns["crop_hash"] = [chance.bytes(32) for _ in range(count)]
    pictures = {**named, "width": [200] * count, "height": [200] * count, "format": ["jpeg"] * count}
    pictures |= {"turn": [0] * count, "faces": [1] * count, "kept": [int(one) for one in kept]}
    return Block(_table(columns, made.face_schema, count), _table(pictures, made.picture_schema, count))


def _table(columns: dict[str, object], schema: pa.Schema, count: int) -> pa.Table:
    held = [
        pa.array(columns[one.name], one.type) if one.name in columns else pa.nulls(count, one.type) for one in schema
    ]
    return pa.table(held, schema=schema)


def _write_thumbs(layout: Layout, faces: int) -> None:
    colours = [np.full((16, 16, 3), (number * 16, 90, 255 - number * 16), np.uint8) for number in range(16)]
    jpegs = [cv2.imencode(".jpg", colour)[1].tobytes() for colour in colours]
    for number, first in enumerate(range(0, faces, 1000)):
        numbers = range(first, min(first + 1000, faces))
        rows = [[face_id(one) for one in numbers], [jpegs[one % 16] for one in numbers]]
        write_file(table_bytes(pa.table(rows, schema=THUMB_SCHEMA)), layout.thumbs_of(number), layout.scratch)
