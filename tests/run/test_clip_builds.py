"""Builds of clips: one row for a clip, many faces with a time and a track, the same bytes however it is built."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import chromium
import cv2
import numpy as np
import pytest
import skimage.data

import facesieve
from facesieve.dataset.tables.schema import OF_CLIPS, OF_FRAMES, TRACK_RELATIONS
from facesieve.errors import DatasetError
from facesieve.relate.rank_in_track import POSE_STEP
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.settings import Settings
from facesieve.sieve import Policy
from filmed import film, turned, walking
from handmade import files_in
from page_facts import facts_of

KEPT_ALL = Policy(name="all", rules=())


def face() -> Any:
    return cv2.resize(skimage.data.astronaut()[0:256, 96:352], (200, 200), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photo, a clip of one face that walks, and a clip of nobody."""
    root = tmp_path_factory.mktemp("sources")
    cv2.imwrite(str(root / "photo.png"), face()[..., ::-1])
    film(root / "walk.mp4", walking(face(), 40))
    film(root / "nobody.avi", walking(face()[:8, :8], 10))
    return root


def build(sources: object, root: Path, policy: Policy = KEPT_ALL, **options: Any) -> facesieve.Dataset:
    settings = Settings.load(**{"workers": 1, "pose": "geometric", "min_face_size": 60} | options.pop("given", {}))
    facesieve.build(sources, root, settings=settings, policy=policy, **options)  # type: ignore[arg-type]
    return facesieve.open_dataset(root)


def pose(row: dict[str, Any]) -> tuple[int, int]:
    return round(row["yaw"] / POSE_STEP), round(row["pitch"] / POSE_STEP)


@pytest.fixture(scope="module")
def whole(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> facesieve.Dataset:
    return build(clips, tmp_path_factory.mktemp("whole") / "d", keep_rejected=True)


def test_a_clip_is_one_row_and_its_faces_have_a_time_and_a_track(whole: facesieve.Dataset) -> None:
    rows = {Path(row["source"]).name: row for row in whole.pictures.to_pylist()}
    assert set(rows) == {"photo.png", "walk.mp4", "nobody.avi"}
    walk, photo = rows["walk.mp4"], rows["photo.png"]
    assert (walk["frames"], walk["duration"], walk["fps"], walk["truncated"]) == (8, pytest.approx(1.6), 25.0, None)
    assert (walk["format"], walk["width"], walk["height"], walk["faces"]) == ("mp4", 320, 240, 8)
    assert (rows["nobody.avi"]["faces"], rows["nobody.avi"]["codec"]) == (0, "MJPG")
    assert {photo[field.name] for field in OF_CLIPS} == {None}
    faces = whole.faces.to_pylist()
    of_walk = [row for row in faces if row["source"].endswith("walk.mp4")]
    assert [row["frame"] for row in of_walk] == list(range(0, 40, 5))
    assert [row["time"] for row in of_walk] == pytest.approx([0.2 * number for number in range(8)])
    assert {(row["track"], row["track_length"]) for row in of_walk} == {(0, 8.0)}
    ranks = sorted(row["rank_in_track"] for row in of_walk if row["rank_in_track"])
    assert ranks == [float(number) for number in range(1, len(ranks) + 1)]
    assert 2 <= len(ranks) < 8
    assert len({row["face_id"] for row in of_walk}) == 8
    assert all((whole.layout.root / row["file_name"]).is_file() for row in faces)
    [of_photo] = [row for row in faces if row["source"].endswith("photo.png")]
    assert (of_photo["track"], of_photo["time"], of_photo["rank_in_track"]) == (None, None, 1.0)
    assert check_dataset(whole.layout.root).faults == ()


def test_the_contact_sheet_shows_tracks_and_opens_the_clip_at_the_second(whole: facesieve.Dataset) -> None:
    faces = [face for face in facts_of(whole.layout.sheet)["faces"] if "track" in face]
    assert [round(face["time"], 1) for face in faces] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4]
    assert {(Path(face["source"]).name, face["track"]) for face in faces} == {("walk.mp4", 0)}


@pytest.mark.skipif(chromium.WHERE is None, reason="needs Chromium")
def test_in_a_browser_the_sheet_and_the_report_open_the_clip_at_the_second(
    whole: facesieve.Dataset, tmp_path: Path
) -> None:
    tab = chromium.Tab(tmp_path)
    try:
        tab.open(whole.layout.sheet.as_uri())
        [clip] = {face["source"] for face in facts_of(whole.layout.sheet)["faces"] if "track" in face}
        links = "[...document.querySelectorAll('#faces a.fact')].map(one => one.href)"
        seconds = ("0.0", "0.2", "0.4", "0.6", "0.8", "1.0", "1.2", "1.4")
        assert tab.run(links) == [f"{Path(clip).as_uri()}#t={second}" for second in seconds]
        assert tab.run("document.querySelectorAll('#faces h2').length") == 1
        assert tab.run("document.querySelector('#faces h2').textContent").endswith("track 0 · 0–1.4 s")
        tab.open(whole.report(tmp_path / "report.html").as_uri())
        assert tab.run("document.querySelectorAll('#clips .clip').length") == 2, "one of them has no face"
        shots = tab.run("[...document.querySelectorAll('#clips .shots a')].map(one => one.href)")
        assert shots and set(shots) <= {f"{Path(clip).as_uri()}#t={second}" for second in seconds}
        assert tab.run("document.querySelectorAll('#clips svg rect').length") >= 1
        assert tab.complaints() == []
    finally:
        tab.close()


def test_the_footage_preset_keeps_the_best_shots_and_sieve_agrees(
    clips: Path, whole: facesieve.Dataset, tmp_path: Path
) -> None:
    policy = Policy.preset("footage")
    built = build(clips, tmp_path / "built", policy, keep_rejected=True)
    whole.rejudge(policy, tmp_path / "sieved")
    assert files_in(tmp_path / "sieved") == files_in(tmp_path / "built")
    faces = [row for row in built.faces.to_pylist() if row["source"].endswith("walk.mp4")]
    kept = [row for row in faces if row["kept"]]
    best = min(kept, key=lambda row: row["rank_in_track"])
    assert best["fitness"] == max(row["fitness"] for row in faces)
    assert 2 <= len(kept) <= 3
    for one, other in combinations(kept, 2):
        assert abs(one["time"] - other["time"]) >= 1.0 or pose(one) != pose(other)
    assert {tuple(row["reasons"]) for row in faces if not row["kept"]} == {("not_a_best_shot",)}
    assert built.about.origin.clips is not None
    assert "a fitter one" in "\n".join(built.explain(next(r["face_id"] for r in faces if not r["kept"])).lines())


@pytest.mark.parametrize("preset", ["gallery", "training"])
def test_presets_for_labelled_folders_keep_the_main_face_of_few_frames_and_sieve_agrees(
    preset: str, tmp_path: Path
) -> None:
    sources = tmp_path / "people"
    (sources / "ada").mkdir(parents=True)
    bystander = cv2.resize(face(), (90, 90), interpolation=cv2.INTER_AREA)
    frames = walking(face(), 40, size=(480, 240), step=1)
    for frame in frames:
        frame[20:110, 380:470] = bystander
    film(sources / "ada" / "walk.mp4", frames)
    cv2.imwrite(str(sources / "ada" / "photo.png"), face()[:, ::-1, ::-1])
    policy = Policy.preset(preset).adjusted(["max_pitch=none", "min_confidence=0.9"])
    whole = build(sources, tmp_path / "whole", label_from="folder", keep_rejected=True)
    built = build(sources, tmp_path / "built", policy, label_from="folder", keep_rejected=True)
    rows = built.faces.to_pylist()
    whole.rejudge(policy, tmp_path / "sieved")
    assert files_in(tmp_path / "sieved") == files_in(tmp_path / "built")
    filmed = [row for row in rows if row["frame"] is not None]
    assert len(filmed) == 16, "two faces in each of eight frames"
    small = [row for row in filmed if row["box_w"] < 50]
    assert {row["reasons"][0] for row in small} == {"not_the_main_face"}
    main = [row for row in filmed if row["box_w"] >= 50]
    assert {row["rank_in_picture"] for row in main} == {1.0}, "each frame is a picture"
    kept = [row for row in rows if row["kept"]]
    assert len(kept) == 1 and kept[0]["rank_among_duplicates"] == 1, "all are one picture, also mirrored"
    assert {tuple(row["reasons"]) for row in main if not row["kept"]} == {("near_duplicate",)}


def test_workers_and_shards_do_not_change_a_byte(clips: Path, tmp_path: Path) -> None:
    policy = Policy.preset("footage")
    one = build(clips, tmp_path / "one", policy, crops=["head"], marked_video=True)
    apart = {"workers": 2, "shard_size": 1, "batch_size": 1}
    build(clips, tmp_path / "two", policy, crops=["head"], marked_video=True, given=apart)
    assert files_in(tmp_path / "one") == files_in(tmp_path / "two")
    assert len(list((tmp_path / "one" / "kept").rglob("*.png"))) == one.about.counts.kept
    assert len(list((tmp_path / "one" / "crops" / "head").rglob("*.jpg"))) == one.about.counts.kept > 1
    marked = sorted(path.name.split(".")[0] for path in (tmp_path / "one" / "marked").rglob("*.*"))
    assert marked == ["nobody", "walk"], "a clip each, and no picture of the photo"
    assert check_dataset(tmp_path / "one").faults == ()


def test_crops_in_tar_files_are_those_of_the_kept_faces(clips: Path, tmp_path: Path) -> None:
    dataset = build(clips, tmp_path, Policy.preset("footage"), crops_as="shards", marked=True, marked_video=True)
    kept = dataset.faces.filter(dataset.faces["kept"])
    crops = list(dataset.crops(kept))
    assert len(crops) > 1
    assert all(crop and crop.startswith(b"\x89PNG") for crop in crops)
    assert list(dataset.crops(dataset.faces)).count(None) == len(dataset.faces) - len(crops)
    assert len(list((tmp_path / "marked").rglob("walk.*.jpg"))) == 1
    [video] = (tmp_path / "marked").rglob("walk.*.webm")
    assert len(list((tmp_path / "marked").rglob("photo.*"))) == 1
    assert check_dataset(tmp_path).faults == ()
    data = video.read_bytes()
    video.write_bytes(data[:-1] + b"x")
    assert [fault.name for fault in check_dataset(tmp_path).faults] == [dataset.layout.name_of(video)]


def test_a_dataset_without_clips_has_none_of_their_columns(clips: Path, tmp_path: Path) -> None:
    dataset = build(clips / "photo.png", tmp_path / "d")
    others = {*(field.name for field in (*OF_FRAMES, *OF_CLIPS)), *TRACK_RELATIONS}
    assert not others & {*dataset.faces.column_names, *dataset.pictures.column_names}
    assert not dataset.layout.clips.exists()
    assert b"clip_every" not in dataset.layout.about.read_bytes()


def test_a_clip_that_is_added_gives_all_rows_its_columns(clips: Path, whole: facesieve.Dataset, tmp_path: Path) -> None:
    build(clips / "photo.png", tmp_path / "d", keep_rejected=True)
    build(clips, tmp_path / "d", keep_rejected=True)
    names = ("faces.parquet", "dataset.json", "contact_sheet.html")
    now, once = files_in(tmp_path / "d"), files_in(whole.layout.root)
    assert set(now) == set(once)
    assert now["faces.parquet"] == once["faces.parquet"], names


def test_other_sampling_is_refused_once_there_are_clips(clips: Path, tmp_path: Path) -> None:
    build(clips / "photo.png", tmp_path / "d")
    build([clips / "photo.png", clips / "nobody.avi"], tmp_path / "d", given={"clip_every": 0.1})
    with pytest.raises(DatasetError, match=r"clips.clip_every: 0.1 -> 0.2"):
        build(clips, tmp_path / "d")


def test_a_clip_is_forgotten_with_all_its_files(clips: Path, tmp_path: Path) -> None:
    build(clips, tmp_path / "d", marked_video=True)
    assert len(list((tmp_path / "d" / "marked").rglob("walk.*.webm"))) == 1
    forget(tmp_path / "d", [str(clips / "walk.mp4")], Settings())
    assert [path.name.split(".")[0] for path in (tmp_path / "d" / "marked").rglob("*.webm")] == ["nobody"]
    dataset = facesieve.open_dataset(tmp_path / "d")
    assert {Path(row["source"]).name for row in dataset.faces.to_pylist()} == {"photo.png"}
    assert len(list((tmp_path / "d" / "kept").rglob("*.png"))) == 1


def test_a_clip_that_cannot_be_read_is_one_row(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    data = (clips / "walk.mp4").read_bytes()
    (tmp_path / "in" / "cut.mp4").write_bytes(data[: len(data) // 2])
    (tmp_path / "in" / "list.m3u8").write_text(f"#EXTM3U\n{clips / 'walk.mp4'}\n")
    shutil.copy(clips / "photo.png", tmp_path / "in")
    dataset = build(tmp_path / "in", tmp_path / "d")
    codes = {Path(row["source"]).name: row["refusal"] for row in dataset.pictures.to_pylist()}
    assert codes == {"cut.mp4": "no_video", "list.m3u8": "playlist", "photo.png": None}


def test_datasets_with_and_without_clips_are_merged(clips: Path, tmp_path: Path) -> None:
    build(clips / "photo.png", tmp_path / "photos")
    build(clips / "walk.mp4", tmp_path / "clips")
    facesieve.merge([tmp_path / "photos", tmp_path / "clips"], tmp_path / "merged")
    build([clips / "photo.png", clips / "walk.mp4"], tmp_path / "once")
    assert files_in(tmp_path / "merged") == files_in(tmp_path / "once")


def test_a_policy_on_tracks_keeps_photos(clips: Path, tmp_path: Path) -> None:
    policy = Policy(name="best", rules=()).adjusted(["max_rank_in_track=1"])
    dataset = build(clips / "photo.png", tmp_path / "d", policy)
    assert dataset.about.counts.kept == dataset.about.counts.faces == 1
    assert dataset.rejudge(policy).after.kept == 1


def test_the_pipeline_tracks_a_clip(clips: Path) -> None:
    settings = Settings.load(pose="geometric", min_face_size=60)
    pipeline = facesieve.Pipeline(settings, Policy.preset("footage"))
    record = pipeline.track(clips / "walk.mp4")
    assert [face.track for face in record.faces] == [0] * 8
    assert sorted(face.measures["rank_in_track"] for face in record.kept)[:2] == [1.0, 2.0]
    assert record.photo and record.photo.clip and record.photo.clip.frames == 8
    frames = list(pipeline.stream([clips / "walk.mp4", clips / "photo.png"]))
    assert [frame.photo.time is None for frame in frames if frame.photo] == [False] * 8 + [True]
    assert pipeline.track(clips / "photo.png").faces[0].track is None
    assert pipeline.track(b"nothing").refusal is not None


def test_container_and_rotation_do_not_change_the_faces(tmp_path: Path) -> None:
    frames = walking(face(), 11, (320, 240))
    upright = [film(tmp_path / name, frames, codec="png ") for name in ("a.mov", "a.mkv")]  # PNG loses nothing
    sideways = film(tmp_path / "sideways.mov", [np.rot90(frame) for frame in frames], codec="png ")
    (tmp_path / "turned.mov").write_bytes(turned(sideways.read_bytes()))
    pipeline = facesieve.Pipeline(Settings.load(pose="geometric", min_face_size=60), Policy.preset("footage"))
    found = [pipeline.track(clip).faces for clip in (*upright, tmp_path / "turned.mov")]
    assert [len(faces) for faces in found] == [3, 3, 3]
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert (one.box, one.time, one.track, one.verdict) == (other.box, other.time, other.track, other.verdict)
            assert np.array_equal(one.landmarks, other.landmarks) and np.array_equal(one.crop, other.crop)
            assert one.measures == pytest.approx(other.measures, nan_ok=True)


KILLED = """
import os, signal, sys
import facesieve
left, sync = int(sys.argv[3]), os.fsync

def fsync(descriptor):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(descriptor)

os.fsync = fsync
settings = facesieve.Settings.load(workers=1, pose="none", min_face_size=60)
policy = facesieve.Policy(name="all", rules=())
facesieve.build(sys.argv[1], sys.argv[2], settings=settings, policy=policy, marked_video=True)
"""


@pytest.mark.parametrize("kill_at", [4, 9])
def test_a_build_that_is_killed_in_a_clip_continues_to_the_same_bytes(
    clips: Path, tmp_path: Path, kill_at: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(clips / "walk.mp4"), str(tmp_path / "killed")]
    killed = subprocess.run([*command, str(kill_at)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "killed" / "faces.parquet").exists()
    for root in ("killed", "whole"):
        build(clips / "walk.mp4", tmp_path / root, given={"pose": "none"}, marked_video=True)
    assert files_in(tmp_path / "killed") == files_in(tmp_path / "whole")
    assert len(list((tmp_path / "whole" / "marked").rglob("*.webm"))) == 1


def test_forgetting_one_face_removes_the_marked_clip_that_shows_it(clips: Path, tmp_path: Path) -> None:
    dataset = build(clips, tmp_path / "d", marked_video=True, given={"clip_frames": 2})
    ids = {Path(row["source"]).name: row["face_id"] for row in dataset.faces.to_pylist()}
    forget(tmp_path / "d", [], Settings(), faces=[ids["walk.mp4"]])
    left = {Path(row["source"]).name for row in facesieve.open_dataset(tmp_path / "d").faces.to_pylist()}
    assert left == {"photo.png"}
    assert not list((tmp_path / "d" / "marked").rglob("walk.*"))


def test_a_build_reports_how_far_it_is_in_a_clip(clips: Path, tmp_path: Path) -> None:
    seen = list[facesieve.Progress]()
    build(clips / "walk.mp4", tmp_path / "d", watch=seen.append)
    assert [one.frames for one in seen] == list(range(9))
    assert [one.reached for one in seen] == pytest.approx([0, *(number / 8 for number in range(7)), 1])
    assert (seen[-1].done, seen[-1].share) == (1, 0)
