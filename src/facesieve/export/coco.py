"""`coco`: boxes and five keypoints of all faces on the source pictures, as COCO's annotations (cocodataset.org).

    train.json      images (file_name is the source), annotations, and one category, `face`

Rejected faces are annotations too: `attributes` has `kept`, `reasons` and all measures. Boxes and points are in pixels
of the upright picture. Each frame of a clip that shows a face is an image, with its `frame` and `time`.
A picture or frame with a face that the selection leaves out is left out as a whole, because a detector would take that
face for background.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.schema import BOX, LANDMARKS
from facesieve.export.columns import values
from facesieve.export.format import Batch, ExportFormat, Item
from facesieve.export.plan import Plan
from facesieve.export.split import hashes, splits_of, unit_of
from facesieve.export.staging import Staging
from facesieve.records import POINTS, Integers
from facesieve.run.derive import owners

_CATEGORY = {"id": 1, "name": "face", "supercategory": "person", "keypoints": list(POINTS), "skeleton": []}
_HEAD = '{"info": {"description": "Faces found by FaceSieve"}, "licenses": [], "categories": [%s], "images": ['


class _Writer:
    def __init__(self, plan: Plan, out: Staging) -> None:
        self._plan, self._out = plan, out

    def add(self, batch: Batch, pictures: Iterator[bytes]) -> None:
        """Nothing: pictures without faces belong to it too, so `finish` reads both manifests."""

    def finish(self) -> None:
        for at, split in enumerate(self._plan.splits):
            stream = self._out.append_to(f"{split}.json")
            stream.write((_HEAD % json.dumps(_CATEGORY)).encode())
            for part in _separated(image for image, _ in _entries(self._plan, at)):
                stream.write(part)
            stream.write(b'], "annotations": [')
            for part in _separated(face for _, faces in _entries(self._plan, at) for face in faces):
                stream.write(part)
            stream.write(b"]}\n")


def _separated(entries: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    comma = b""
    for entry in entries:
        yield comma + b"\n" + json.dumps(entry, ensure_ascii=False).encode()
        comma = b","


def _entries(plan: Plan, split: int) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield each image of a split with its faces. Numbers count all images and faces of the dataset, from 1."""
    number = first_face = 1
    names, taken = (*plan.dataset.names, "kept", "reasons"), plan.selection.taken
    for block in plan.dataset.blocks():
        owner = owners(block)
        chosen = _splits(plan, block, owner, first_face - 1) == split
        pictures = values(block.pictures, ("source", "width", "height", "label"))
        faces = values(block.faces, ("face_id", *BOX, *LANDMARKS, *names))
        counts = np.bincount(owner, minlength=len(block.pictures)).tolist()
        frames_of_faces, is_clip = iter(_frames(block.faces)), _are_clips(block.pictures)
        for at, ((source, width, height, label), count) in enumerate(zip(pictures, counts, strict=True)):
            found = [(next(frames_of_faces), next(faces)) for _ in range(count)]
            frames = [(frame, list(rows)) for frame, rows in groupby(found, itemgetter(0))]
            for frame, rows in frames if frames or is_clip[at] else [({}, [])]:
                if chosen[at] and taken[first_face - 1 : first_face - 1 + len(rows)].all():
                    image = {"id": number, "file_name": source, "width": width, "height": height, "label": label}
                    numbered = enumerate(rows, first_face)
                    yield image | frame, [_face(row, face, number, names) for face, (_, row) in numbered]
                number, first_face = number + 1, first_face + len(rows)


def _frames(faces: pa.Table) -> list[dict[str, float]]:
    """The frame of each face, and its time; nothing for a face of a still picture."""
    if "frame" not in faces.column_names:
        return [{}] * len(faces)
    return [{} if frame is None else {"frame": frame, "time": time} for frame, time in values(faces, ("frame", "time"))]


def _are_clips(pictures: pa.Table) -> list[bool]:
    known = "frames" in pictures.column_names
    return list(pictures["frames"].is_valid().to_pylist()) if known else [False] * len(pictures)


def _splits(plan: Plan, block: Block, owner: Integers, first: int) -> Integers:
    """(N,) the split of each picture of a block; -1 for one that was refused."""
    selection, part = plan.selection, slice(first, first + len(block.faces))
    columns = zip(*(block.pictures[name].to_pylist() for name in ("label", "picture_id", "source")), strict=True)
    unit = unit_of(selection.by)
    units = hashes((unit(label or "", picture or "", source) for label, picture, source in columns), plan.spec.seed)
    split = splits_of(units[:, 1] / 2.0**64, [one.share for one in selection.splits])
    split[owner] = selection.split[part]
    split[np.asarray(block.pictures["refusal"].is_valid(), bool)] = -1
    return split


def _face(row: tuple[Any, ...], number: int, image: int, names: tuple[str, ...]) -> dict[str, Any]:
    face_id, x, y, w, h, *rest = row
    points, attributes = rest[: len(LANDMARKS)], rest[len(LANDMARKS) :]
    keypoints = [value for at in range(0, len(points), 2) for value in (points[at], points[at + 1], 2)]
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": [x, y, w, h],
        "area": w * h,
        "iscrowd": 0,
        "segmentation": [],
        "keypoints": keypoints,
        "num_keypoints": len(points) // 2,
        "face_id": face_id,
        "attributes": dict(zip(names, attributes, strict=True)),
    }


def read(root: Path, plan: Plan) -> Iterator[Item]:
    """Yield the faces of each split. It holds one file in memory."""
    number = {label: at for at, label in enumerate(plan.selection.labels)}
    for split in plan.splits:
        held = json.loads((root / f"{split}.json").read_bytes())
        label = {image["id"]: image["label"] for image in held["images"]}
        for face in held["annotations"]:
            yield Item(split, face["face_id"], number[label[face["image_id"]]], None)


COCO = ExportFormat(
    "coco",
    "boxes, keypoints and measures of all faces on the source pictures",
    _Writer,
    read,
    pictures=False,
    whole_pictures=True,
    load='from pycocotools.coco import COCO\n\nfaces = COCO(f"{OUT}/train.json")',
)
