"""A dataset is a function of its inputs: not of batches, shards, order, runs or crashes."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from facesieve.dataset.disk.outputs import Outputs
from facesieve.errors import DatasetError, UsageError
from facesieve.records import Record, Refusal, Source
from facesieve.run.build import build_dataset
from handmade import Handmade, build_spec, files_in, photos, record_of, source_of, sources_in

EVERYTHING = Outputs(keep_rejected=True, cuts=("face", "head"), marked=True)


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    return photos(tmp_path / "heap", astronaut)


@pytest.fixture
def whole(heap: Path, tmp_path: Path) -> dict[str, bytes]:
    """The dataset of the heap, made in one go."""
    build_dataset(sources_in(heap), tmp_path / "whole", Handmade, build_spec(EVERYTHING))
    return files_in(tmp_path / "whole")


def test_every_input_is_one_row_and_every_face_is_one_row(heap: Path, tmp_path: Path) -> None:
    built = build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    pictures = pq.read_table(tmp_path / "out" / "pictures.parquet").to_pylist()
    faces = pq.read_table(tmp_path / "out" / "faces.parquet").to_pylist()
    assert [row["source"] for row in pictures] == sorted(source.name for source in sources_in(heap))
    expected = {source.name: record_of(source) for source in sources_in(heap)}
    for row in pictures:
        record = expected[row["source"]]
        if row["refusal"] is None:
            assert (row["faces"], row["kept"]) == (len(record.faces), len(record.kept))
            assert (row["width"], row["height"], row["format"]) == (120, 160, "png")
        else:
            assert (row["faces"], row["kept"]) == (0, 0)
    read = [row["source"] for row in pictures if row["refusal"] is None]
    assert [face["face_id"] for face in faces] == [face.face_id for name in read for face in expected[name].faces]
    assert built.counts.pictures == len(pictures) == 16
    assert built.counts.refusals == {"duplicate": 1, "empty": 1, "not_an_image": 1}
    assert built.counts.faces == len(faces) == built.counts.kept + built.counts.rejected


def test_a_face_row_says_what_the_record_said(heap: Path, tmp_path: Path) -> None:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    rows = {row["face_id"]: row for row in pq.read_table(tmp_path / "out" / "faces.parquet").to_pylist()}
    record = max((record_of(source) for source in sources_in(heap)), key=lambda record: len(record.faces))
    assert len(record.faces) == 3
    for face in record.faces:
        row = rows[face.face_id]
        assert (row["box_x"], row["box_y"], row["box_w"], row["box_h"]) == face.box
        assert (row["mouth_right_x"], row["mouth_right_y"]) == tuple(face.landmarks[4])
        assert row["confidence"] == face.confidence
        assert row["blur"] == face.measures["blur"]
        assert (row["kept"], tuple(row["reasons"])) == (face.verdict.kept, face.verdict.reasons)
    assert rows[record.faces[2].face_id]["yaw"] is None, "not measured is null"
    assert rows[record.faces[1].face_id]["file_name"] is None, "no crop of a rejected face was written"
    kept = rows[record.faces[0].face_id]
    crop = cv2.imread(str(tmp_path / "out" / kept["file_name"]))[..., ::-1]
    assert kept["file_name"] == f"kept/{kept['label']}/{kept['face_id']}.png"
    np.testing.assert_array_equal(crop, record.faces[0].crop)


@pytest.mark.parametrize(("batch", "shard"), [(1, 1), (3, 5), (100, 100)])
def test_batch_and_shard_size_change_no_byte(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], batch: int, shard: int
) -> None:
    again = build_spec(EVERYTHING, batch_size=batch, shard_size=shard)
    build_dataset(reversed(sources_in(heap)), tmp_path / "again", Handmade, again)
    assert files_in(tmp_path / "again") == whole


def test_two_runs_are_one(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    sources = sources_in(heap)
    build_dataset(sources[1::2], tmp_path / "again", Handmade, build_spec(EVERYTHING))
    build_dataset(sources, tmp_path / "again", Handmade, build_spec(EVERYTHING))
    assert files_in(tmp_path / "again") == whole


def test_a_second_run_redoes_nothing(heap: Path, tmp_path: Path) -> None:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    before = files_in(tmp_path / "out")
    idle = Handmade()
    built = build_dataset(sources_in(heap), tmp_path / "out", lambda: idle, build_spec())
    assert idle.seen == []
    assert built.progress.already == 16
    assert files_in(tmp_path / "out") == before


def test_a_build_adds_and_does_not_take_away(heap: Path, tmp_path: Path) -> None:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    before = files_in(tmp_path / "out")
    shutil.rmtree(heap / "Ada")
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    assert files_in(tmp_path / "out") == before


def test_a_changed_picture_is_done_again_and_its_old_files_go(
    heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    picture = heap / "Grace" / "000.png"
    good = picture.read_bytes()
    cv2.imwrite(str(picture), cv2.imread(str(picture))[::-1])
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec(EVERYTHING))
    assert files_in(tmp_path / "out") != whole
    picture.write_bytes(good)
    os.utime(picture, ns=(1, 1))
    redo = Handmade()
    build_dataset(sources_in(heap), tmp_path / "out", lambda: redo, build_spec(EVERYTHING))
    assert redo.seen == ["Grace/000.png"]
    assert files_in(tmp_path / "out") == whole


class Stopping(Handmade):
    """Stops as a crash would after some pictures."""

    def __init__(self, after: int, stop: type[BaseException]) -> None:
        super().__init__()
        self.after, self.stop = after, stop

    def one(self, source: Source) -> Record:
        if len(self.seen) == self.after:
            raise self.stop
        return super().one(source)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_a_stopped_build_is_continued_where_it_stopped(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], stop: type[BaseException]
) -> None:
    making_ = build_spec(EVERYTHING, batch_size=2, shard_size=4)
    with pytest.raises(stop):
        build_dataset(sources_in(heap), tmp_path / "out", lambda: Stopping(10, stop), making_)
    rest = Handmade()
    build_dataset(sources_in(heap), tmp_path / "out", lambda: rest, making_)
    assert len(rest.seen) == 16 - 8, "two shards of four were committed"
    assert files_in(tmp_path / "out") == whole


def test_files_of_a_shard_that_was_never_finished_do_not_stay(heap: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build_dataset(
            sources_in(heap),
            tmp_path / "out",
            lambda: Stopping(8, KeyboardInterrupt),
            build_spec(EVERYTHING, batch_size=4),
        )
    assert list((tmp_path / "out" / "kept").rglob("*.png"))
    build_dataset(sources_in(heap)[-1:], tmp_path / "out", Handmade, build_spec(EVERYTHING))
    rows = pq.read_table(tmp_path / "out" / "faces.parquet").to_pylist()
    crops = {name for name in files_in(tmp_path / "out") if name.startswith(("kept/", "rejected/"))}
    assert crops - {"kept/metadata.parquet"} == {row["file_name"] for row in rows}


def test_a_note_of_the_users_own_stays(heap: Path, tmp_path: Path) -> None:
    build_dataset(sources_in(heap)[:3], tmp_path / "out", Handmade, build_spec())
    note = tmp_path / "out" / "kept" / "read me.txt"
    note.write_text("mine")
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    assert note.read_text() == "mine"


def test_the_same_picture_twice_under_one_label_is_a_duplicate_and_under_two_it_is_not(
    heap: Path, tmp_path: Path
) -> None:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    rows = {row["source"]: row for row in pq.read_table(tmp_path / "out" / "pictures.parquet").to_pylist()}
    assert rows["Ada/001 again.png"]["refusal"] is None
    assert rows["Ada/001.png"]["refusal"] == "duplicate"
    assert rows["Ada/001.png"]["message"] == "The same picture as Ada/001 again.png."
    assert rows["Grace/not Grace.png"]["refusal"] is None
    ids = {record_of(source).photo.picture_id for source in sources_in(heap) if "001" in source.name}
    assert {rows["Grace/not Grace.png"]["picture_id"]} == ids


def test_one_source_under_two_labels_is_refused(heap: Path, tmp_path: Path) -> None:
    path = heap / "Ada" / "001.png"
    with pytest.raises(UsageError, match="two labels: 'Ada' and 'Bob'"):
        build_dataset(
            [source_of(path, heap, "Ada"), source_of(path, heap, "Bob")], tmp_path / "out", Handmade, build_spec()
        )
    assert not (tmp_path / "out").exists()


def test_a_picture_that_the_disk_would_not_give_is_tried_again(heap: Path, tmp_path: Path) -> None:
    class Unreadable(Handmade):
        def one(self, source: Source) -> Record:
            return Record(source, refusal=Refusal(source, "unreadable", "No."))

    source = sources_in(heap)[0]
    build_dataset([source], tmp_path / "out", Unreadable, build_spec())
    row = pq.read_table(tmp_path / "out" / "pictures.parquet").to_pylist()[0]
    assert (row["refusal"], row["picture_id"], row["width"]) == ("unreadable", None, None)
    build_dataset([source], tmp_path / "out", Handmade, build_spec())
    assert pq.read_table(tmp_path / "out" / "pictures.parquet")["refusal"].to_pylist() == [None]


def test_other_settings_are_refused_with_the_difference(heap: Path, tmp_path: Path) -> None:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    before = files_in(tmp_path / "out")
    with pytest.raises(DatasetError) as caught:
        build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec(Outputs(marked=True), min_face_size=40))
    assert caught.value.code == "other_settings"
    assert caught.value.message.splitlines()[1:] == [
        "  settings.min_face_size: 20 -> 40",
        "  options.marked: False -> True",
    ]
    assert files_in(tmp_path / "out") == before


def test_a_dataset_of_another_pose_model_is_refused_with_the_setting_that_continues_it(
    heap: Path, tmp_path: Path
) -> None:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec(pose="whenet"))
    with pytest.raises(DatasetError) as caught:
        build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    assert caught.value.code == "other_settings"
    assert caught.value.message.splitlines()[1:] == [
        "  settings.pose: whenet -> sievepose",
        "To continue it with the pose model that it has: --setting pose=whenet.",
    ]


def test_the_about_file_says_what_made_the_dataset(heap: Path, tmp_path: Path) -> None:
    built = build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    about = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert about["counts"] == built.counts.as_json()
    assert about["settings"]["min_face_size"] == 20
    assert about["policy"]["rules"][0]["measure"] == "blur"
    assert about["models"] == {"none": "0" * 64}
    assert about["options"] == {"keep_rejected": False, "crops": [], "marked": False, "label_from": "folder"}
    assert "facesieve" in about["versions"]


def test_no_inputs_and_one_refused_input_are_datasets_too(tmp_path: Path) -> None:
    none = build_dataset([], tmp_path / "none", Handmade, build_spec())
    assert (none.counts.pictures, none.counts.faces, none.readable) == (0, 0, 0)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").touch()
    one = build_dataset(sources_in(tmp_path / "in"), tmp_path / "one", Handmade, build_spec())
    assert (one.counts.refusals, one.readable) == ({"empty": 1}, 0)
    assert len(pq.read_table(tmp_path / "one" / "faces.parquet")) == 0


def test_names_that_are_no_text_and_labels_that_are_no_folder_names_stay_inside(heap: Path, tmp_path: Path) -> None:
    path = heap / "Grace" / "002.png"
    labels = ["../../up", "/etc", "..", "a/b", "a_b", "con", "x" * 300, "train", "é\u0000"]
    sources = [
        Source(f"{index}\udcff.png", label, source_of(path, heap).open, "1") for index, label in enumerate(labels)
    ]
    build_dataset(sources, tmp_path / "deep" / "out", Handmade, build_spec(EVERYTHING))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["deep", "heap"]
    rows = pq.read_table(tmp_path / "deep" / "out" / "pictures.parquet").to_pylist()
    assert rows[0]["source"] == "0\\xff.png"
    assert [row["refusal"] for row in rows] == [None] * len(labels)
    folders = [entry.name for entry in (tmp_path / "deep" / "out" / "marked").iterdir()]
    assert len(folders) == len(labels)
    assert all(re.fullmatch(r"[^/\\\x00.][^/\\\x00]*", folder) and len(folder.encode()) <= 100 for folder in folders)


@pytest.mark.parametrize("label", ["metadata.parquet", "Metadata.PARQUET", "unlabelled"])
def test_a_label_that_is_called_like_a_file_of_the_dataset_gets_a_folder_of_its_own(
    heap: Path, tmp_path: Path, label: str
) -> None:
    sources = [source_of(heap / "Ada" / "001.png", heap, label), source_of(heap / "Grace" / "004.png", heap)]
    build_dataset(sources, tmp_path / "out", Handmade, build_spec(EVERYTHING))
    assert pq.read_table(tmp_path / "out" / "kept" / "metadata.parquet").num_rows > 0
    assert pq.read_table(tmp_path / "out" / "pictures.parquet")["label"].to_pylist() == [label, ""]
