"""Clips: frames by time from every container; damage, lies and traps are answered with a code."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facesieve.decode import decode, decode_each
from facesieve.decode.capture import opened
from facesieve.decode.containers import clip_format
from facesieve.decode.sampling import Clock, Scenes
from facesieve.errors import Refused
from facesieve.records import Photo, Refusal, Source
from facesieve.settings import Settings
from facesieve.sources import as_sources
from filmed import CODECS, film, grey, turned

RAMP = [20 + 4 * number for number in range(50)]  # two seconds that grow brighter


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("clips") / "ramp.mp4", grey(RAMP))


@pytest.fixture(scope="module")
def mkv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("clips") / "ramp.mkv", grey(RAMP))


def photos(clip: object, **settings: object) -> list[Photo]:
    found = list(decode_each(as_sources(clip)[0], Settings.load(**settings)))  # type: ignore[arg-type]
    assert all(isinstance(one, Photo) for one in found), found
    return [one for one in found if isinstance(one, Photo)]


def refusal(clip: object, **settings: object) -> Refusal:
    [found] = decode_each(as_sources(clip)[0], Settings.load(**settings))  # type: ignore[arg-type]
    assert isinstance(found, Refusal)
    return found


def times(found: list[Photo]) -> list[float]:
    return [round(photo.time or 0.0, 3) for photo in found]


@pytest.mark.parametrize("suffix", CODECS)
def test_every_container_yields_frames_by_time(suffix: str, tmp_path: Path) -> None:
    found = photos(film(tmp_path / f"clip.{suffix}", grey(RAMP)))
    assert times(found) == [round(0.2 * number, 3) for number in range(10)]
    assert [photo.frame for photo in found] == list(range(0, 50, 5))
    levels = [float(photo.pixels.mean()) for photo in found]
    assert np.abs(np.array(levels) - RAMP[::5]).max() < 6
    assert {photo.pixels.shape for photo in found} == {(48, 64, 3)}


def test_a_name_does_not_decide_what_is_a_clip(ramp: Path, tmp_path: Path) -> None:
    disguised = tmp_path / "photo.jpg"
    disguised.write_bytes(ramp.read_bytes())
    assert len(photos(disguised)) == 10


def test_only_the_last_photo_says_what_the_clip_was(ramp: Path) -> None:
    found = photos(ramp)
    assert [photo.clip for photo in found[:-1]] == [None] * 9
    clip = found[-1].clip
    assert clip is not None
    assert (clip.frames, round(clip.duration, 3), clip.fps, clip.truncated) == (10, 2.0, 25.0, "")
    assert len({photo.picture_id for photo in found}) == 1
    assert [photo.share for photo in found] == pytest.approx([0.1 * number for number in range(10)])


@pytest.mark.parametrize(
    ("settings", "frames"),
    [
        ({"clip_every": 0.5}, [0, 13, 25, 38]),
        ({"clip_frames": "all"}, list(range(50))),
        ({"clip_frames": 4}, [0, 13, 25, 38]),
        ({"clip_frames": "scene"}, [0, 5, 10, 15]),  # the first steps of a clip look like cuts
        ({"clip_from": 1.0}, [25, 30, 35, 40, 45]),
        ({"clip_to": 0.5}, [0, 5, 10]),
        ({"clip_from": 0.5, "clip_to": 1.0}, [13, 18, 23]),
    ],
)
def test_frames_are_chosen_by_time(ramp: Path, settings: dict[str, object], frames: list[int]) -> None:
    assert [photo.frame for photo in photos(ramp, **settings)] == frames


def test_a_clip_with_too_many_frames_is_cut_there_and_says_so(ramp: Path) -> None:
    found = photos(ramp, max_clip_frames=3)
    assert len(found) == 3
    assert found[-1].clip and found[-1].clip.truncated == "frame_limit"


def test_a_clip_that_is_too_long_is_refused_by_its_header_or_by_the_time_of_a_frame(ramp: Path, tmp_path: Path) -> None:
    assert len(photos(ramp, max_clip_seconds=2)) == 10  # exactly as long as the clip
    assert refusal(ramp, max_clip_seconds=1.9).code == "too_long"
    packets = film(tmp_path / "no length.ts", grey(range(0, 250, 5)))
    assert photos(packets, max_clip_seconds=3)[-1].clip
    *_, last = decode_each(as_sources(packets)[0], Settings(max_clip_seconds=1))
    assert isinstance(last, Refusal) and (last.code, last.message) == ("too_long", "The clip is longer than 1 s.")


def test_no_frame_between_from_and_to_is_a_refusal(ramp: Path) -> None:
    refused = refusal(ramp, clip_from=100)
    assert (refused.code, refused.message) == (
        "no_video",
        "None of the 50 frames that were read is between clip_from and clip_to.",
    )


def test_a_clip_that_ends_early_yields_what_was_read_and_says_so(mkv: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.mkv"
    data = mkv.read_bytes()
    short.write_bytes(data[: len(data) // 2])
    found = photos(short)
    assert 1 < len(found) < 10
    assert found[-1].clip and found[-1].clip.truncated == "ends_early"


def ebml(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    return kind + (1 << 56 | (len(data) if size is None else size)).to_bytes(8, "big") + data


@pytest.mark.parametrize(("size", "expected"), [(None, ""), (10**6, "ends_early"), ((1 << 56) - 1, "ends_early")])
def test_sound_that_lasts_longer_than_the_pictures_does_not_cut_a_clip_short(
    mkv: Path, tmp_path: Path, size: int | None, expected: str
) -> None:
    data = mkv.read_bytes()
    segment = data.index(b"\x18\x53\x80\x67")
    at = data.index(b"\x44\x89\x88") + 3  # the duration, in milliseconds
    body = data[segment + 12 : at] + struct.pack(">d", 9000.0) + data[at + 8 :]
    (tmp_path / "long.mkv").write_bytes(data[:segment] + ebml(data[segment : segment + 4], body, size))
    *_, last = photos(tmp_path / "long.mkv")
    assert last.clip and (round(last.clip.duration, 3), last.clip.truncated) == (2.0, expected)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
@pytest.mark.parametrize("name", ["offset.mkv", "offset.webm", "late.ts", "late.mkv"])
def test_a_clip_that_does_not_begin_at_zero_is_whole(ramp: Path, tmp_path: Path, name: str) -> None:
    tone = ["-f", "lavfi", "-i", "sine=duration=8"] if name.startswith("late") else []
    codec = ["-c:v", "libvpx", "-deadline", "realtime"] if name.endswith("webm") else ["-c:v", "mpeg4"]
    shift = ["-itsoffset", "3"] if tone else []
    offset = [] if tone else ["-output_ts_offset", "10"]
    command = ["ffmpeg", "-v", "error", "-nostdin", *shift, "-i", ramp, *tone, *codec, *offset, tmp_path / name]
    subprocess.run(command, check=True)
    found = photos(tmp_path / name)
    assert times(found) == [round(0.2 * number, 3) for number in range(10)]
    assert found[-1].clip and found[-1].clip.truncated == ""


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
def test_the_cover_of_a_sound_is_no_clip(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "cover.jpg"), grey([90])[0])
    tone = ["-f", "lavfi", "-i", "sine=duration=2", "-i", tmp_path / "cover.jpg", "-map", "0", "-map", "1"]
    cover = ["-c:v", "mjpeg", "-disposition:v:0", "attached_pic", tmp_path / "song.m4a"]
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *tone, *cover], check=True)
    refused = refusal(tmp_path / "song.m4a")
    assert (refused.code, refused.message) == ("no_video", "This file has sound and a cover picture, but no video.")


def test_a_clip_without_its_index_is_refused(ramp: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.mp4"
    short.write_bytes(ramp.read_bytes()[:3000])
    refused = refusal(short)
    assert (refused.code, refused.format) == ("no_video", "mp4")
    assert len(refused.picture_id) == 64


def test_damage_in_the_middle_costs_frames_only(mkv: Path, tmp_path: Path) -> None:
    data = bytearray(mkv.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    (tmp_path / "damaged.mkv").write_bytes(data)
    assert 1 <= len(photos(tmp_path / "damaged.mkv")) <= 10


def lengthened(data: bytes) -> bytes:
    """An MP4 whose header claims 2**32 - 1 units of time everywhere."""
    changed = bytearray(data)
    for box, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        at = changed.find(box)
        assert at > 0
        changed[at + offset : at + offset + 4] = b"\xff" * 4
    return bytes(changed)


def test_a_header_that_lies_about_the_length_changes_nothing(ramp: Path, tmp_path: Path) -> None:
    lying = tmp_path / "lying.mp4"
    lying.write_bytes(lengthened(ramp.read_bytes()))
    assert times(photos(lying)) == times(photos(ramp))


@pytest.mark.parametrize(
    ("size", "count", "fps", "frames"), [((64, 48), 1, 25, 1), ((2, 2), 5, 25, 1), ((64, 48), 100, 10_000, 1)]
)
def test_extreme_clips_are_read(tmp_path: Path, size: tuple[int, int], count: int, fps: float, frames: int) -> None:
    clip = film(tmp_path / "clip.avi", grey([100] * count, size), fps)
    assert len(photos(clip)) == frames


def test_a_clip_without_frames_is_refused(tmp_path: Path) -> None:
    clip = tmp_path / "empty.mp4"
    clip.write_bytes(b"\0\0\0\x1cftypisom\0\0\2\0isomiso2mp41" + b"\0\0\0\x08free" + b"\0\0\0\x08mdat")
    assert refusal(clip).code == "no_video"


def test_a_frame_that_takes_too_much_memory_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    clip = film(tmp_path / "large.avi", grey([100], (640, 480)))
    assert refusal(clip, max_decode_bytes=1_000_000).code == "too_many_pixels"
    assert refusal(clip, max_pixels=1000).code == "too_many_pixels"
    assert refusal(clip, max_side=100).code == "too_long_side"
    assert refusal(clip, max_clip_bytes=1000).message == "The clip is larger than max_clip_bytes (1,000)."


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXTINF:1,\n{}\n",
    "hls after a mark": "\ufeff#EXTM3U\n{}\n",
    "concat": "ffconcat version 1.0\nfile '{}'\n",
    "pls": "[playlist]\nFile1={}\n",
    "dash": '<?xml version="1.0"?>\n<MPD><BaseURL>{}</BaseURL></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc={}\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_a_playlist_is_not_followed(ramp: Path, tmp_path: Path, kind: str, name: str) -> None:
    listed = tmp_path / name
    listed.write_text(PLAYLISTS[kind].format(ramp), encoding="utf-8")
    refused = refusal(listed)
    assert (refused.code, refused.picture_id) == ("playlist", "")


@pytest.mark.parametrize("form", ["concat:{}|{}", "subfile,,start,0,end,0,,:{}", "http://127.0.0.1:9/{}", "{}.m3u8"])
def test_ffmpeg_itself_opens_nothing_but_a_clip_on_disk(tmp_path: Path, form: str) -> None:
    clip = film(tmp_path / "clip.ts", grey(RAMP))
    (tmp_path / "clip.ts.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{clip}\n#EXT-X-ENDLIST\n")
    with opened(str(clip), 1) as capture:
        assert capture.size == (64, 48)
    with pytest.raises(Refused, match="no_video"), opened(form.replace("{}", str(clip)), 1):
        pass


def test_the_environment_is_as_before(ramp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "mine")
    before = dict(os.environ)
    photos(ramp)
    assert dict(os.environ) == before


def test_a_clip_in_memory_is_read_like_the_file(ramp: Path) -> None:
    from_file, from_bytes, from_stream = photos(ramp), photos(ramp.read_bytes()), photos(io.BytesIO(ramp.read_bytes()))
    for other in (from_bytes, from_stream):
        assert [photo.picture_id for photo in other] == [photo.picture_id for photo in from_file]
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(from_file, other, strict=True))
    assert refusal(ramp.read_bytes(), max_clip_bytes=1000).code == "too_many_bytes"


def test_a_stream_that_fails_in_the_middle_is_a_refusal(ramp: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(512)
            if self.tell() > 1024:
                raise OSError("gone")
            return data

    found = list(decode_each(Source("x", open=lambda: Failing(ramp.read_bytes())), Settings()))
    assert [getattr(one, "code", "") for one in found] == ["unreadable"]


def test_the_rotation_of_the_header_is_applied_once(tmp_path: Path) -> None:
    frames = grey([40] * 10)
    for frame in frames:
        frame[:10, :20] = 220  # a bright corner at the top left
    clip = film(tmp_path / "upright.mp4", frames)
    (tmp_path / "turned.mp4").write_bytes(turned(clip.read_bytes()))
    upright, sideways = photos(clip)[0].pixels, photos(tmp_path / "turned.mp4")[0].pixels
    assert np.array_equal(sideways, np.rot90(upright, -1))


def test_a_batch_refuses_clips_with_advice(ramp: Path) -> None:
    [refused] = decode(as_sources(str(ramp)), Settings()).results
    assert isinstance(refused, Refusal)
    assert (refused.code, "Pipeline.stream" in refused.message) == ("unsupported_format", True)


def test_a_long_clip_is_reported_now_and_then(ramp: Path) -> None:
    reports: list[None] = []
    source = Source("x", open=lambda: ramp.open("rb"), waiting=lambda: reports.append(None))
    assert len(list(decode_each(source, Settings(clip_from=1.9)))) == 1
    assert len(reports) >= 2


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([0, 0.04, 0.08], [0, 0.04, 0.08]),
        ([0, 0, 0], [0, 0.04, 0.08]),
        ([1.0, 0.5, float("nan"), 2.0], [1.0, 1.04, 1.08, 2.0]),
        ([0, 1e12, 0.2], [0, 0.04, 0.2]),
        ([-5.0, 0.1], [0.0, 0.1]),
    ],
)
def test_times_ascend_whatever_the_timestamps_say(stamps: list[float], expected: list[float]) -> None:
    clock = Clock(25.0)
    assert [clock.tick(stamp) for stamp in stamps] == pytest.approx(expected)


def test_a_cut_begins_a_scene_and_motion_does_not() -> None:
    first, second = np.zeros((72, 128, 3), np.uint8), np.full((72, 128, 3), 90, np.uint8)
    first[:, 30:60] = 200
    scenes = Scenes()
    begins = [scenes.add(np.roll(first, 2 * number, axis=1)) for number in range(4)]
    begins += [scenes.add(second), scenes.add(second)]
    assert begins == [True, False, False, False, True, False]
    assert scenes.number == 1


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (b"", ""),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", ""),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1", ""),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "mov"),
        (b"\0\0\0\x14ftypM4V \0\0\0\0", "mp4"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "mov"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WEBPVP8 ", ""),
        (b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x82\x88matroska", "mkv"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "webm"),
        ((b"G" + bytes(187)) * 3, "mpegts"),
        (bytes(4) + (b"G" + bytes(191)) * 3, "mpegts"),
        (b"GIF89a" + bytes(400), ""),
    ],
)
def test_the_first_bytes_tell_the_format(head: bytes, format: str) -> None:
    assert clip_format(head) == format


def test_every_kind_of_opener_may_hold_a_clip(ramp: Path, tmp_path: Path) -> None:
    import zipfile

    from facesieve.sources import SourceOptions, find_sources

    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.write(ramp, "a/ramp.mp4")
    [source] = find_sources([str(tmp_path / "clips.zip")], Settings(), SourceOptions()).sources
    assert source.cost > 1
    found: Callable[[], list[object]] = lambda: list(decode_each(source, Settings()))  # noqa: E731
    assert [photo.picture_id for photo in found() if isinstance(photo, Photo)] == [
        photo.picture_id for photo in photos(ramp)
    ]


def animated(path: Path, **more: object) -> Path:
    """An animation of four even frames, .3 seconds each."""
    first, *others = (Image.fromarray(frame) for frame in grey([20, 90, 160, 230]))
    first.save(path, save_all=True, append_images=others, duration=300, **more)
    return path


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif"])
def test_an_animated_picture_is_a_clip_if_asked_for(suffix: str, tmp_path: Path) -> None:
    picture = animated(tmp_path / f"move.{suffix}")
    [still] = photos(picture)
    assert (still.time, still.clip) == (None, None)
    found = photos(picture, animated="frames")
    assert times(found) == pytest.approx([0, 0.3, 0.6, 0.9], abs=0.02)
    assert [float(photo.pixels.mean()) for photo in found] == pytest.approx([20, 90, 160, 230], abs=6)
    assert found[-1].clip and (found[-1].clip.frames, found[-1].clip.codec) == (4, suffix)
    assert np.array_equal(found[0].pixels, still.pixels)


def test_a_heic_with_several_images_is_a_clip_if_asked_for(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = pillow_heif.HeifFile()
    for frame in grey([60, 200], (128, 96)):
        file.add_from_pillow(Image.fromarray(frame))
    file.save(tmp_path / "burst.heic", quality=90)
    assert len(photos(tmp_path / "burst.heic")) == 1
    assert times(photos(tmp_path / "burst.heic", animated="frames")) == [0, 0.2]


def test_a_still_picture_is_the_same_whether_animations_are_wanted_or_not(astronaut: Path, hopper: Path) -> None:
    for picture in (astronaut, hopper):
        [one], [other] = photos(picture), photos(picture, animated="frames")
        assert np.array_equal(one.pixels, other.pixels)
        assert one.time is other.time is None


def test_a_damaged_animation_is_a_refusal_at_the_end(tmp_path: Path) -> None:
    data = animated(tmp_path / "move.webp", lossless=True).read_bytes()
    found = list(decode_each(as_sources(data[: len(data) // 2])[0], Settings(animated="frames")))
    assert isinstance(found[-1], Refusal)
