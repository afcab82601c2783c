"""Exports of datasets with clips: frames are images, and crops of another size come from pictures alone."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

import facesieve
from facesieve.errors import DatasetError
from facesieve.export.export import export_dataset
from facesieve.export.verify import verify_export
from facesieve.settings import Settings
from facesieve.sieve import Policy
from filmed import film, walking


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """A dataset of a photo, a clip of one face, and a clip of nobody."""
    root = tmp_path_factory.mktemp("filmed")
    face = cv2.resize(cv2.imread(str(astronaut))[0:256, 96:352, ::-1], (200, 200), interpolation=cv2.INTER_AREA)
    (root / "in").mkdir()
    cv2.imwrite(str(root / "in" / "photo.png"), face[..., ::-1])
    film(root / "in" / "walk.mp4", walking(face, 15))
    film(root / "in" / "nobody.avi", walking(face[:8, :8], 5))
    settings = Settings.load(workers=1, pose="geometric", min_face_size=60)
    facesieve.build(root / "in", root / "d", settings=settings, policy=Policy(name="all", rules=()))
    return root / "d"


def test_each_frame_with_a_face_is_an_image_of_coco(filmed: Path, tmp_path: Path) -> None:
    export_dataset(filmed, "coco", tmp_path / "out")
    held = json.loads((tmp_path / "out" / "train.json").read_bytes())
    shown = [(Path(image["file_name"]).name, image.get("frame"), image.get("time")) for image in held["images"]]
    assert shown == [("photo.png", None, None), *(("walk.mp4", at, pytest.approx(at / 25)) for at in (0, 5, 10))]
    assert len({image["id"] for image in held["images"]}) == 4
    assert [face["image_id"] for face in held["annotations"]] == [image["id"] for image in held["images"]]
    assert verify_export(filmed, tmp_path / "out", Settings.load(), lambda progress: None) == 4


def test_a_frame_with_a_face_that_is_left_out_leaves_the_others_of_its_clip(filmed: Path, tmp_path: Path) -> None:
    done = export_dataset(filmed, "coco", tmp_path / "out", where="frame is None or frame != 5")
    held = json.loads((tmp_path / "out" / "train.json").read_bytes())
    assert [image.get("frame") for image in held["images"]] == [None, 0, 10]
    assert (done.faces, done.left_out) == (3, {"where": 1}) and len(held["annotations"]) == 3
    assert verify_export(filmed, tmp_path / "out", Settings.load(), lambda progress: None) == 3


def test_crops_of_another_size_are_refused_for_clips_before_anything_is_written(filmed: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        export_dataset(filmed, "imagefolder", tmp_path / "out", size=64)
    assert caught.value.code == "no_pictures" and "3 of these faces are from clips" in caught.value.message
    assert list(tmp_path.iterdir()) == []
    assert export_dataset(filmed, "imagefolder", tmp_path / "out", size=64, where="frame is None").faces == 1
