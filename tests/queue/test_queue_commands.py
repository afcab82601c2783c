"""Jobs are submitted, looked at and retried from the command line, with a real Redis."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import zipfile
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
from picture_host import Host, answered, host
from queue_workers import Worker, results, submit, until
from redis_server import RedisServer
from s3_server import S3Server

Run = Callable[..., tuple[int, str, str]]


def test_pictures_of_a_folder_become_jobs_that_workers_answer(tmp_path: Path, run: Run, astronaut: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(astronaut.read_bytes())
    (photos / "b.jpg").write_bytes(b"no picture")
    with RedisServer(tmp_path) as server:
        redis = server.client()
        assert run("submit", server.url, photos) == (0, "2 jobs submitted to faces:jobs.\n", "")
        status, out, _ = run("submit", server.url, photos, "--paths", photos, "--option", "crops=aligned")
        assert (status, out) == (0, "2 jobs submitted to faces:jobs.\n")
        jobs = [json.loads(fields[b"job"]) for _, fields in redis.xrange("faces:jobs")]
        assert [job["id"] for job in jobs] == [f"{photos}/a.png", f"{photos}/b.jpg"] * 2
        assert [sorted(job) for job in jobs] == [["id", "image_base64"]] * 2 + [["id", "options", "path"]] * 2
        assert [job["path"] for job in jobs[2:]] == ["a.png", "b.jpg"] and jobs[2]["options"] == {"crops": "aligned"}
        redis.xtrim("faces:jobs", maxlen=2, approximate=False)
        assert Worker(server.url, "--drain", "--workers", "1", "--paths", str(photos)).end()[0] == 0
        found = results(redis)
        assert found[f"{photos}/a.png"]["answer"]["faces"][0]["crops"]["aligned"]
        assert found[f"{photos}/b.jpg"]["code"] == "not_an_image"


def test_a_picture_that_cannot_be_read_is_told_and_not_submitted(tmp_path: Path, run: Run, astronaut: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{astronaut}\n{tmp_path}/missing.jpg\n")
    with RedisServer(tmp_path) as server:
        status, out, err = run("submit", server.url, tmp_path / "list.txt")
        assert (status, out) == (0, "1 job submitted to faces:jobs; 1 picture was not submitted.\n")
        assert "missing.jpg" in err and "[unreadable]" in err


def test_a_damaged_member_of_a_zip_is_told_and_the_next_picture_is_submitted(
    tmp_path: Path, run: Run, astronaut: Path
) -> None:
    path, picture = tmp_path / "a.zip", astronaut.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("checksum.png", picture)
        archive.writestr("deflate.png", picture, zipfile.ZIP_DEFLATED)
        archive.writestr("whole.png", picture)
    data = bytearray(path.read_bytes())
    for info in archive.infolist()[:2]:
        data[info.header_offset + 30 + len(info.filename)] ^= 0xFF  # the first byte of its content
    path.write_bytes(data)
    with RedisServer(tmp_path) as server:
        status, out, err = run("submit", server.url, path)
        jobs = [json.loads(fields[b"job"])["id"] for _, fields in server.client().xrange("faces:jobs")]
    assert (status, jobs) == (0, [f"{path}!whole.png"]), err
    assert out == "1 job submitted to faces:jobs; 2 pictures were not submitted.\n"
    assert [(line.split(": ")[0], line[-12:]) for line in err.splitlines()] == [
        (f"{path}!checksum.png", "[unreadable]"),
        (f"{path}!deflate.png", "[unreadable]"),
    ]


@pytest.mark.parametrize(
    "option", ["crops=some", "max_yaw=wide", "nothing=1", "policy=strct", "marked=2", "max_yaw=nan"]
)
def test_a_wrong_option_is_told_before_any_job_is_put(tmp_path: Path, run: Run, astronaut: Path, option: str) -> None:
    with RedisServer(tmp_path) as server:
        status, out, err = run("submit", server.url, astronaut, "--option", option)
        assert (status, out) == (2, "") and "[bad_option]" in err
        assert option != "nothing=1" or "There is no option 'nothing'; there are policy, crops" in err
        assert server.client().xlen("faces:jobs") == 0


def test_options_are_checked_with_the_policy_of_the_workers(tmp_path: Path, run: Run, astronaut: Path) -> None:
    (tmp_path / "ours.toml").write_text('name = "ours"\nrules = [{ measure = "blur", low = 5 }]\n')
    with RedisServer(tmp_path) as server:
        arguments = ("submit", server.url, astronaut, "--option", "policy=ours")
        assert run(*arguments)[0] == 2
        assert run(*arguments, "--policy", tmp_path / "ours.toml")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_submit_that_is_stopped_says_how_many_jobs_it_put(tmp_path: Path, astronaut: Path, number: int) -> None:
    for photo in range(9):
        (tmp_path / f"{photo}.png").write_bytes(astronaut.read_bytes())
    with RedisServer(tmp_path) as server:
        redis = server.client()
        command = [sys.executable, "-m", "facesieve", "submit", server.url, tmp_path / "?.png", "--most", "4"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            until(lambda: redis.xlen("faces:jobs") == 4)
            time.sleep(1)
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 128 + number
        assert "4 jobs were submitted to faces:jobs" in err


def test_a_picture_in_a_bucket_is_sent_itself_because_workers_have_other_credentials(
    tmp_path: Path, run: Run, s3: S3Server
) -> None:
    folder = s3.folder({"a.jpg": b"data"})
    with RedisServer(tmp_path) as server:
        assert run("submit", server.url, folder) == (0, "1 job submitted to faces:jobs.\n", "")
        [job] = [json.loads(fields[b"job"]) for _, fields in server.client().xrange("faces:jobs")]
    assert job == {"id": f"{folder}a.jpg", "image_base64": "ZGF0YQ=="}


def test_objects_are_fetched_many_at_a_time_and_urls_are_sent_unread_in_order(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = asyncio.Event()

    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        if running.open >= 8:
            together.set()
        await asyncio.wait_for(together.wait(), 60)  # one request after the other would never be answered
        writer.write(answered(path.split("?")[0][-1].encode()))

    with RedisServer(tmp_path) as server, host(answer) as running:
        for name, value in {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url(""))
        urls = [f"s3://bucket/{number}" for number in range(8)]
        urls.insert(4, "https://127.0.0.1:1/never-asked.jpg")
        (tmp_path / "list.txt").write_text("\n".join(urls))
        assert run("submit", server.url, tmp_path / "list.txt") == (0, "9 jobs submitted to faces:jobs.\n", "")
        jobs = [json.loads(fields[b"job"]) for _, fields in server.client().xrange("faces:jobs")]
    assert [job["id"] for job in jobs] == urls
    sent = [b64decode(job["image_base64"]).decode() if "image_base64" in job else job["url"] for job in jobs]
    assert sent == [url if url.startswith("https") else url[-1] for url in urls]


def test_a_queue_is_shown(tmp_path: Path, run: Run) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        assert run("queue", server.url)[1] == (
            "faces:jobs: 0 jobs; 0 held by 0 workers.\nfaces:results: 0 results.\nfaces:dead: 0 dead jobs.\n"
        )
        for number in range(5):
            submit(redis, f"{number}", b"x")
        redis.xgroup_create("faces:jobs", "facesieve", id="0")
        redis.xreadgroup("facesieve", "here-1", {"faces:jobs": ">"}, count=2)
        redis.xadd("faces:results", {"id": "x", "result": "{}"})
        _, out, _ = run("queue", server.url, "--json")
        state = json.loads(out)
        assert (state["jobs"], state["held"], state["results"], state["dead"]) == (5, 2, 1, {})
        assert [(one["name"], one["held"]) for one in state["workers"]] == [("here-1", 2)] and 0 <= state["oldest"] < 60
        assert "5 jobs, the oldest for 0 s; 2 held by 1 worker.\n  here-1: 2 held" in run("queue", server.url)[1]


def test_dead_jobs_are_submitted_again_once(tmp_path: Path, run: Run) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        for number in range(3):
            redis.xadd("faces:dead", {"job": f'{{"id": "{number}"}}', "reason": "crashed", "taken": 3})
        assert "3 dead jobs (3 crashed)." in run("queue", server.url)[1]
        assert run("queue", server.url, "--retry-dead")[1].startswith("3 dead jobs submitted again.\n")
        assert run("queue", server.url, "--retry-dead")[1].startswith("0 dead jobs submitted again.\n")
        assert [json.loads(fields[b"job"])["id"] for _, fields in redis.xrange("faces:jobs")] == ["0", "1", "2"]


@pytest.mark.parametrize("command", [("queue",), ("submit", "--")])
def test_a_redis_that_does_not_answer_is_told(run: Run, command: tuple[str, ...], astronaut: Path) -> None:
    more = [astronaut] if command[0] == "submit" else []
    status, _, err = run(command[0], "redis://user:secret@127.0.0.1:1", *more)
    assert status == 2 and "[no_queue]" in err and "redis://127.0.0.1:1" in err and "secret" not in err
    assert ".." not in err, "messages of redis-py end with a full stop"
