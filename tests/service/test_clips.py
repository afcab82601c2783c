"""Clips sent to a real service: best shots of each track, limits before and while they are decoded, and bad bodies."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests
from jsonschema import Draft202012Validator
from running import Running

from filmed import film, grey, walking

LIMITS = {"max_video_bytes": 2_000_000, "max_video_seconds": 3, "max_video_frames": 12, "deadline": 60}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that accepts clips and URLs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACESIEVE_FETCH_ALLOW_ADDRESSES", '["127.0.0.1/32"]')
        running = Running(tmp_path_factory.mktemp("clips"), accept_video=True, accept_urls=True, **LIMITS)
    try:
        yield running.wait_ready()
    finally:
        running.end()


@pytest.fixture(scope="module")
def two_people(tmp_path_factory: pytest.TempPathFactory, astronaut: Path, hopper: Path) -> bytes:
    """Two seconds of one person who walks, then a cut, and half a second of another one."""
    first, second = cv2.imread(str(astronaut))[0:256, 96:352, ::-1], cv2.imread(str(hopper))[40:440, 56:456, ::-1]
    first, second = (cv2.resize(face, (200, 200), interpolation=cv2.INTER_AREA) for face in (first, second))
    frames = [*walking(first, 50), *walking(second, 12, step=4)]
    return film(tmp_path_factory.mktemp("film") / "clip.mp4", frames).read_bytes()


def test_a_clip_is_answered_with_the_best_shots_of_each_track(clips: Running, two_people: bytes) -> None:
    answer = clips.faces(two_people, "?crops=aligned")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["format"], found["width"], found["height"], found["policy"]) == ("mp4", 320, 240, "footage")
    assert (found["frames"], found["truncated"], found["tracks"]) == (12, "frame_limit", 2)
    assert found["faces_total"] > found["faces_kept"] == len(found["faces"])
    for track in (0, 1):
        faces = [face for face in found["faces"] if face["track"] == track]
        assert 1 <= len(faces) <= 3
        assert sorted(face["measures"]["rank_in_track"] for face in faces) == [*range(1, len(faces) + 1)]
    assert all((face["time"] < 2) == (face["track"] == 0) for face in found["faces"])
    times = [face["time"] for face in found["faces"]]
    assert times == sorted(times)
    crop = cv2.imdecode(np.frombuffer(base64.b64decode(found["faces"][0]["crops"]["aligned"]), np.uint8), 1)
    assert crop.shape == (112, 112, 3)
    document = requests.get(f"{clips.url}/openapi.json", timeout=10).json()
    shape = {"$ref": "#/components/schemas/ClipAnswer", "components": document["components"]}
    Draft202012Validator(shape).validate(found)


def test_another_policy_keeps_every_face_that_passes(clips: Running, two_people: bytes) -> None:
    best, every = (clips.faces(two_people, query).json() for query in ("", "?policy=reference"))
    assert every["policy"] == "reference" and every["faces_kept"] > best["faces_kept"] > 0
    one = clips.faces(two_people, "?max_rank_in_track=1").json()
    assert one["policy"] == "footage, adjusted" and one["faces_kept"] == 2


def test_base64_forms_and_urls_are_accepted_too(clips: Running, two_people: bytes, tmp_path: Path) -> None:
    plain = clips.faces(two_people).json()
    (tmp_path / "clip.mp4").write_bytes(two_people)
    handler = lambda *given: http.server.SimpleHTTPRequestHandler(*given, directory=str(tmp_path))  # noqa: E731
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        answers = [
            clips.post("/v1/faces", json={"image_base64": base64.b64encode(two_people).decode()}),
            clips.post("/v1/faces", data=base64.b64encode(two_people), headers={"Content-Type": "text/plain"}),
            clips.upload(two_people, path="/v1/faces"),
            clips.post("/v1/faces", json={"url": f"http://127.0.0.1:{host.server_port}/clip.mp4"}),
        ]
        host.shutdown()
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.json() | {"timings": 0} == plain | {"timings": 0}


@pytest.mark.parametrize("query", ["?crops=all", "?marked=1", "?pose=0"])
def test_options_that_need_the_frames_are_refused(clips: Running, two_people: bytes, query: str) -> None:
    answer = clips.faces(two_people, query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_option")


def test_pictures_are_answered_as_ever(clips: Running, service: Running, astronaut: Path) -> None:
    data = astronaut.read_bytes()
    ours, usual = (one.faces(data, "?crops=all").json() | {"timings": 0} for one in (clips, service))
    assert ours == usual


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_limits_hold_before_and_while_the_clip_is_decoded(clips: Running, tmp_path: Path) -> None:
    long = film(tmp_path / "long.mp4", grey([100] * 100)).read_bytes()  # 4 s
    assert code(clips.faces(long)) == (413, "too_long")
    packets = film(tmp_path / "long.ts", grey([100] * 100)).read_bytes()  # no length in the header
    assert code(clips.faces(packets)) == (413, "too_long")
    assert code(clips.faces(long + bytes(2_000_000))) == (413, "too_many_bytes")
    assert code(clips.faces(bytes(60_000_000))) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\0\0\0\x18ftypmp42" + bytes(100), (422, "no_video")),
        (b"\x1a\x45\xdf\xa3" + b"matroska" + bytes(3000), (422, "no_video")),
        (b"RIFF" + bytes(4) + b"AVI " + bytes(500), (422, "no_video")),
        (b"#EXTM3U\nhttp://127.0.0.1/x.ts\n", (415, "playlist")),
    ],
)
def test_a_body_that_only_begins_like_a_clip_has_a_code(clips: Running, body: bytes, expected: tuple[int, str]) -> None:
    assert code(clips.faces(body)) == expected


def test_clips_are_refused_where_the_setting_is_off_and_by_upload(
    clips: Running, service: Running, two_people: bytes
) -> None:
    assert code(service.faces(two_people)) == (415, "unsupported_format")
    assert code(service.faces(two_people, "?policy=footage")) == (400, "bad_option")
    assert code(clips.upload(two_people)) == (415, "unsupported_format")
    assert "ClipAnswer" not in requests.get(f"{service.url}/openapi.json", timeout=10).text
