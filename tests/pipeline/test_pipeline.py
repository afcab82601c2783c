"""The pipeline: pictures in, records out, and the same records for any batch size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import facesieve
from facesieve import Pipeline, Policy, Record, Settings
from facesieve.decode import DecodedBatch
from facesieve.pipeline import face_id
from facesieve.quality import OF_ONE_PICTURE, RELATIONS
from facesieve.records import Photo, Refusal, Source


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline()


def rgb(file: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)


def plain(record: Record) -> list[tuple]:
    return [
        (face.face_id, face.box, face.landmarks.tolist(), face.crop.tobytes(), repr(face.measures), face.verdict)
        for face in record.faces
    ]


def test_no_pictures_give_no_records(pipeline: Pipeline) -> None:
    assert pipeline.process([]) == []


def test_paths_bytes_and_arrays_of_one_picture_give_the_same_face(pipeline: Pipeline, astronaut: Path) -> None:
    by_path, by_text, by_bytes, by_array = pipeline.process(
        [astronaut, str(astronaut), astronaut.read_bytes(), rgb(astronaut)]
    )
    assert len(by_path.faces) == 1 and by_path.faces[0].verdict.kept
    assert plain(by_path) == plain(by_text) == plain(by_bytes)
    assert by_array.faces[0].box == by_path.faces[0].box
    np.testing.assert_equal(by_array.faces[0].measures, by_path.faces[0].measures)
    assert by_array.photo is not None and by_array.photo.format == "array"


def test_records_come_in_the_order_of_the_pictures_with_refusals_in_their_place(
    pipeline: Pipeline, astronaut: Path, hopper: Path
) -> None:
    records = pipeline.process([b"", hopper, b"no picture", astronaut, Path("nowhere.jpg")])
    assert [record.refusal.code if record.refusal else len(record.faces) for record in records] == [
        "empty",
        1,
        "not_an_image",
        1,
        "unreadable",
    ]


def test_a_picture_without_faces_is_a_record_with_none(pipeline: Pipeline) -> None:
    (record,) = pipeline.process([np.full((200, 300, 3), 90, np.uint8)])
    assert record.refusal is None and record.faces == () and record.kept == ()


def test_a_batch_gives_what_one_by_one_gives(pipeline: Pipeline, astronaut: Path, hopper: Path) -> None:
    pictures = [hopper, astronaut, rgb(astronaut)[::-1].copy(), rgb(hopper)[:, ::-1].copy()]
    together = pipeline.process(pictures)
    assert [plain(record) for record in together] == [plain(pipeline.process([one])[0]) for one in pictures]


def test_a_stream_gives_what_a_batch_gives(astronaut: Path, hopper: Path) -> None:
    pipeline = Pipeline(Settings.load(batch_size=2, pose="none"))
    pictures = [hopper, astronaut, b"", hopper, astronaut]
    streamed = list(pipeline.stream(iter(pictures)))
    assert [plain_ids(record) for record in streamed] == [plain_ids(record) for record in pipeline.process(pictures)]


def plain_ids(record: Record) -> list[str]:
    return [face.face_id for face in record.faces]


def test_one_source_with_several_photos_yields_a_record_for_each(
    pipeline: Pipeline, astronaut: Path, hopper: Path
) -> None:
    clip = Source("clip")
    frames = enumerate(map(rgb, (astronaut, hopper)))
    photos = [Photo(clip, f"{n:064}", pixels, "array", frame=n, time=n / 25) for n, pixels in frames]
    measured = pipeline._measured(DecodedBatch([photos[0], Refusal(clip, "corrupt", ""), photos[1]]))
    first, refused, second = measured.judged(pipeline.policy)
    assert (first.photo, second.photo) == (photos[0], photos[1])
    assert refused.refusal is not None and {record.source for record in (first, refused, second)} == {clip}
    assert len(first.faces) == len(second.faces) == 1
    assert first.faces[0].box != second.faces[0].box


def test_measuring_without_the_pose_leaves_all_that_does_not_depend_on_it(pipeline: Pipeline, astronaut: Path) -> None:
    [with_pose] = pipeline.process(astronaut)
    [without] = pipeline.measure(astronaut, pose=False).judged(pipeline.policy)
    differ = {
        name
        for name, value in with_pose.faces[0].measures.items()
        if not np.array_equal(value, without.faces[0].measures[name], equal_nan=True)
    }
    assert differ == {
        "pitch",
        "yaw",
        "roll",
        "pose_spread",
        "inter_eye_distance_score",
        "fitness",
        "faces_in_picture",
        "rank_in_picture",
    }
    assert all(np.isnan(without.faces[0].measures[name]) for name in ("pitch", "yaw", "roll"))


def test_every_measure_of_the_table_is_taken_and_no_other(pipeline: Pipeline, astronaut: Path) -> None:
    (record,) = pipeline.process([astronaut])
    assert list(record.faces[0].measures) == [measure.name for measure in OF_ONE_PICTURE]
    unmeasured = [name for name, value in record.faces[0].measures.items() if not np.isfinite(value)]
    assert unmeasured == []


def test_measures_do_not_depend_on_the_crop_that_was_asked_for(astronaut: Path) -> None:
    asked = [
        Pipeline(Settings.load(pose="geometric", crop_size=size, alignment=alignment)).process([astronaut])[0].faces[0]
        for size, alignment in ((112, "similarity"), (224, "perspective"))
    ]
    np.testing.assert_equal(asked[0].measures, asked[1].measures)
    assert asked[0].crop.shape == (112, 112, 3) and asked[1].crop.shape == (224, 224, 3)


def test_below_the_floor_the_pose_is_null_and_the_reason_says_so(astronaut: Path) -> None:
    pipeline = Pipeline(Settings.load(measure_floor=1.0))
    (face,) = pipeline.process([astronaut])[0].faces
    assert np.isnan([face.measures[angle] for angle in ("pitch", "yaw", "roll")]).all()
    assert face.verdict.reasons == ("pose_not_measured",)


def test_another_policy_changes_the_verdict_and_nothing_else(astronaut: Path) -> None:
    settings = Settings.load(pose="geometric")
    picky = Policy.preset("lenient").adjusted(["min_blur=1e6", "min_confidence=1.1"])
    (kept,) = Pipeline(settings, Policy.preset("lenient")).process([astronaut])[0].faces
    (dropped,) = Pipeline(settings, picky).process([astronaut])[0].faces
    assert kept.verdict.kept and dropped.verdict.reasons == ("low_confidence", "blurred")
    assert kept.face_id == dropped.face_id
    related = {relation.name for relation in RELATIONS}
    assert {name: kept.measures[name] for name in kept.measures.keys() - related} == {
        name: dropped.measures[name] for name in dropped.measures.keys() - related
    }
    assert (kept.measures["rank_in_picture"], np.isnan(dropped.measures["rank_in_picture"])) == (1, True)


def test_a_face_id_comes_from_the_picture_and_the_box_in_whole_pixels() -> None:
    box = (10.2, 20.7, 30.0, 40.4)
    assert face_id("ab" * 32, box) == face_id("ab" * 32, (10.0, 21.0, 30.3, 39.8))
    assert face_id("ab" * 32, box) != face_id("ac" * 32, box)
    assert face_id("ab" * 32, box) != face_id("ab" * 32, (11.2, *box[1:]))
    assert len(face_id("ab" * 32, box)) == 32


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_eight_orientations_of_one_portrait_give_the_same_box(
    pipeline: Pipeline, astronaut: Path, orientation: int, tmp_path: Path
) -> None:
    from PIL import Image

    undo = [None, None, 0, 3, 1, 5, 2, 6, 4][orientation]  # Pillow's transposition that stores it so
    image = Image.open(astronaut).convert("RGB")
    stored = image if undo is None else image.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.png", exif=exif)
    upright, turned = pipeline.process([astronaut, tmp_path / "turned.png"])
    assert turned.faces[0].box == pytest.approx(upright.faces[0].box, abs=1)
    assert turned.faces[0].landmarks == pytest.approx(upright.faces[0].landmarks, abs=1)


def test_the_seed_photo_has_the_reference_s_funnel_and_its_four_faces(pipeline: Pipeline, shared: Path) -> None:
    (record,) = pipeline.process([shared / "seed/famous-selfie.jpg"])
    sure = [face for face in record.faces if face.confidence >= 0.995]
    sharp = [face for face in sure if face.measures["blur"] >= 100]
    assert (len(record.faces), len(sure), len(sharp), len(record.kept)) == (38, 28, 5, 4)
    published = {(521, 340): 148.84, (549, 140): 147.88, (295, 277): 132.15, (546, 388): 109.73}
    blurs = {(int(face.box[0]), int(face.box[1])): face.measures["blur"] for face in record.kept}
    assert blurs == {corner: pytest.approx(blur, rel=0.01) for corner, blur in published.items()}
    (rejected,) = [face for face in sharp if not face.verdict.kept]
    assert (int(rejected.box[0]), int(rejected.box[1])) == (431, 259)
    assert set(rejected.verdict.reasons) <= {"turned", "pitched", "tilted"}


def test_settings_and_policy_of_another_type_are_told_with_what_to_write() -> None:
    for given, advice in (
        ({"settings": {"min_face_size": 40}}, r"settings is of type dict.*Pipeline\(settings=Settings\("),
        ({"settings": {}}, "settings is of type dict"),
        ({"policy": "strict"}, r"policy is of type str.*Pipeline\(policy=Policy\.preset\("),
    ):
        with pytest.raises(TypeError, match=advice):
            Pipeline(**given)  # type: ignore[arg-type]


def test_dir_shows_the_public_names() -> None:
    assert dir(facesieve) == sorted(facesieve.__all__)
