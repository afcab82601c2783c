"""Marked clips: VP8 frames with their own times, in a file that other programs read."""

from __future__ import annotations

import io
from pathlib import Path

import chromium
import cv2
import numpy as np
import pytest

from facesieve.draw.vp8 import check_vp8, vp8
from facesieve.draw.webm import write_webm
from facesieve.errors import DatasetError

TIMES = [0.0, 0.2, 0.4, 1.0, 45.0, 45.2]
SIZE = (64, 48)


def frame(level: int) -> np.ndarray:
    picture = np.full((SIZE[1], SIZE[0], 3), level, np.uint8)
    picture[10:20, 20:40] = (200, 40, 40)
    return picture


def webm(path: Path, times: list[float], seconds: float) -> bytes:
    with vp8(path.parent, SIZE) as encoder, path.open("wb") as stream:
        for number in range(len(times)):
            encoder.add(frame(30 * number))
        write_webm(stream, SIZE, zip(times, encoder.frames(), strict=True), seconds)
    assert [other.name for other in path.parent.iterdir()] == [path.name], "the temporary file is gone"
    return path.read_bytes()


def test_every_frame_has_its_own_time(tmp_path: Path) -> None:
    webm(tmp_path / "a.webm", TIMES, 45.4)
    video = cv2.VideoCapture(str(tmp_path / "a.webm"), cv2.CAP_FFMPEG)
    times, levels = list[float](), list[float]()
    while (read := video.read())[0]:
        times.append(video.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        levels.append(float(np.asarray(read[1])[30:].mean()))
        assert np.abs(np.asarray(read[1])[15, 30] - np.array([40.0, 40.0, 200.0])).max() < 40, "the colours are right"
    assert times == pytest.approx(TIMES)
    assert levels == pytest.approx([0, 30, 60, 90, 120, 150], abs=4)


def test_equal_frames_become_equal_bytes(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    assert webm(tmp_path / "1" / "a.webm", TIMES, 46) == webm(tmp_path / "2" / "b.webm", TIMES, 46)


def test_a_clip_of_one_frame_can_be_read(tmp_path: Path) -> None:
    webm(tmp_path / "a.webm", [0.0], 0.2)
    assert cv2.VideoCapture(str(tmp_path / "a.webm"), cv2.CAP_FFMPEG).read()[0]


def test_a_disk_that_lost_frames_is_an_error(tmp_path: Path) -> None:
    with vp8(tmp_path, SIZE) as encoder:
        encoder.add(frame(1))
        encoder.add(frame(2))
        [path] = tmp_path.iterdir()
        frames = encoder.frames()
        next(frames)
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(DatasetError, match="not all frames"):
            write_webm(io.BytesIO(), SIZE, ((0.0, one) for one in encoder.frames()), 1)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check_vp8()
    with pytest.raises(DatasetError, match="cannot encode"), vp8(tmp_path / "nowhere", SIZE):
        pass
    capfd.readouterr()


@pytest.mark.skipif(chromium.WHERE is None, reason="needs Chromium")
def test_a_browser_plays_it_and_can_seek(tmp_path: Path) -> None:
    (tmp_path / "film").mkdir()
    webm(tmp_path / "film" / "a.webm", TIMES, 45.4)
    (tmp_path / "page.html").write_text(
        """<video src="film/a.webm" muted></video><script>
        const video = document.querySelector("video");
        const told = name => new Promise(done => video.addEventListener(name, done, {once: true}));
        window.told = (async () => {
          await told("loadeddata");
          const first = video.currentTime;
          video.currentTime = 45.25;
          await told("seeked");
          return [video.videoWidth, video.videoHeight, video.duration, first, video.currentTime];
        })();
        </script>"""
    )
    tab = chromium.Tab(tmp_path)
    try:
        tab.open((tmp_path / "page.html").as_uri())
        width, height, duration, first, now = tab.run("window.told")
        assert (width, height, first) == (*SIZE, 0)
        assert (duration, now) == pytest.approx((45.4, 45.25))
        assert tab.complaints() == []
    finally:
        tab.close()
