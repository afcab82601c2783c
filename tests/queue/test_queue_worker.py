"""Queue workers with a real Redis: every job has one result, whatever happens."""

from __future__ import annotations

import json
import random
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from picture_host import Host, answered, host
from PIL import Image
from queue_workers import Worker, results, submit, take_results, until
from redis_server import RedisServer

from filmed import film, grey, walking

pytest.importorskip("redis", reason="needs redis, of the extra queue")


@pytest.fixture(scope="module")
def face(astronaut: Path) -> bytes:
    """A small picture with one face."""
    out = BytesIO()
    Image.open(astronaut).convert("RGB").resize((160, 160)).save(out, "JPEG", quality=90)
    return out.getvalue()


def test_a_queue_without_jobs_is_drained_at_once(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        status, out, err = Worker(server.url, "--drain", "--workers", "1").end()
    assert (status, out) == (0, "0 jobs finished (0 refused), 0 tried again, 0 dead.\n"), err


def test_every_job_has_the_answer_of_the_service_or_a_refusal_with_a_code(tmp_path: Path, face: bytes) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(face)
    (tmp_path / "secret.jpg").write_bytes(face)

    async def answer(running: Host, writer: object, path: str) -> None:
        writer.write(answered(face) if path == "/a.jpg" else answered(status="404 Not Found"))  # type: ignore[attr-defined]

    with RedisServer(tmp_path) as server, host(answer) as pictures:
        redis = server.client()
        submit(redis, "inline", face)
        submit(
            redis,
            "data url",
            None,
            image_base64="data:image/jpeg;base64,"
            + json.loads(redis.xrange("faces:jobs")[0][1][b"job"])["image_base64"],
        )
        submit(redis, "url", url=pictures.url("/a.jpg"))
        submit(redis, "path", path="a.jpg")
        submit(redis, "options", face, options={"crops": "aligned", "policy": "strict", "max_yaw": 1, "marked": True})
        submit(redis, "gone", url=pictures.url("/b.jpg"))
        submit(redis, "outside", path="../secret.jpg")
        submit(redis, "absolute", path=str(tmp_path / "secret.jpg"))
        submit(redis, "missing", path="b.jpg")
        submit(redis, "text", b"no picture")
        submit(redis, "not base64", image_base64="%%%")
        submit(redis, "unknown option", face, options={"crop": "all"})
        submit(redis, "two", face, path="a.jpg")
        submit(redis, "none")
        submit(redis, "unknown key", face, colour="red")
        for job in (b"{", b"[]", b"\xff", b'{"id": {}}'):
            redis.xadd("faces:jobs", {"job": job})
        redis.xadd("faces:jobs", {"other": "field"})
        status, out, err = Worker(
            server.url,
            "--drain",
            "--workers",
            "1",
            "--paths",
            str(tmp_path / "photos"),
            FACESIEVE_FETCH_ALLOW_ADDRESSES="127.0.0.0/8",
            FACESIEVE_FETCH_TRIES="1",
        ).end()
        found = results(redis)
        assert redis.xlen("faces:jobs") == redis.xlen("faces:dead") == 0
        assert redis.xinfo_groups("faces:jobs")[0]["consumers"] == 0
    assert (status, out) == (0, "20 jobs finished (15 refused), 0 tried again, 0 dead.\n"), err
    for id in ("inline", "data url", "url", "path", "options"):
        assert found[id]["ok"] and found[id]["answer"]["faces_total"] == 1
    assert found["inline"]["answer"]["faces"] == found["url"]["answer"]["faces"] == found["path"]["answer"]["faces"]
    assert found["options"]["answer"]["policy"] == "strict, adjusted" and found["options"]["answer"]["marked"]
    assert found["options"]["answer"]["faces"][0]["crops"]["aligned"]
    codes = {id: one["code"] for id, one in found.items() if not one["ok"] and not id[0].isdigit()}
    assert codes == {
        "gone": "fetch_failed",
        "outside": "outside_tree",
        "absolute": "outside_tree",
        "missing": "unreadable",
        "text": "not_an_image",
        "not base64": "bad_base64",
        "unknown option": "bad_option",
        "two": "bad_job",
        "none": "bad_job",
        "unknown key": "bad_job",
    }
    assert [one["code"] for id, one in found.items() if id[0].isdigit()] == ["bad_job"] * 5


def test_clips_are_jobs_where_the_setting_is_on(tmp_path: Path, astronaut: Path) -> None:
    face = np.asarray(Image.open(astronaut).convert("RGB").crop((96, 0, 352, 256)).resize((200, 200)))
    clip = film(tmp_path / "clip.mp4", walking(face, 30)).read_bytes()
    long = film(tmp_path / "long.mp4", grey([90] * 60)).read_bytes()
    for on, ok in (("true", True), ("false", False)):
        (tmp_path / on).mkdir()
        with RedisServer(tmp_path / on) as server:
            redis = server.client()
            submit(redis, "clip", clip, options={"policy": "footage"})
            submit(redis, "long", long)
            limits = {"FACESIEVE_QUEUE_ACCEPT_VIDEO": on, "FACESIEVE_QUEUE_MAX_VIDEO_SECONDS": "2"}
            status, _, err = Worker(server.url, "--drain", "--workers", "1", **limits).end()
            assert status == 0, err
            found = results(redis)
        assert found["clip"]["ok"] == ok
        if ok:
            answer = found["clip"]["answer"]
            assert (answer["frames"], answer["tracks"], answer["policy"]) == (6, 1, "footage")
            assert 1 <= len(answer["faces"]) <= 3
            assert found["long"]["code"] == "too_long"
        else:
            assert [found[id]["code"] for id in ("clip", "long")] == ["bad_option", "unsupported_format"]


def test_results_may_have_keys_of_their_own_that_expire(tmp_path: Path, face: bytes) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        submit(redis, "one", face)
        status, _, err = Worker(server.url, "--drain", "--workers", "1", "--results", "answer:{id}").end()
        assert status == 0, err
        assert json.loads(redis.get("answer:one") or b"")["answer"]["faces_total"] == 1
        assert 0 < redis.ttl("answer:one") <= 86_400


def test_a_job_that_kills_processes_is_buried_and_costs_no_other_job(tmp_path: Path, face: bytes) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        for number in range(10):
            submit(redis, f"{number}", face)
        submit(redis, "poison", face + b"POISON")
        for number in range(10, 20):
            submit(redis, f"{number}", face)
        status, out, err = Worker(server.url, "--drain", "--workers", "2", deadly=True).end()
        assert (status, out) == (0, "20 jobs finished (0 refused), 2 tried again, 1 dead.\n"), err
        assert results(redis).keys() == {f"{number}" for number in range(20)}
        [(_, dead)] = redis.xrange("faces:dead")
        assert (dead[b"reason"], dead[b"taken"], json.loads(dead[b"job"])["id"]) == (b"crashed", b"3", "poison")


def test_a_stopped_worker_finishes_what_has_begun_and_returns_the_rest_at_once(tmp_path: Path, face: bytes) -> None:
    async def never(running: Host, writer: object, path: str) -> None:
        import asyncio

        await asyncio.sleep(600)

    with RedisServer(tmp_path) as server, host(never) as pictures:
        redis = server.client()
        submit(redis, "waits", url=pictures.url("/a"))
        submit(redis, "face", face)
        worker = Worker(
            server.url, "--workers", "1", FACESIEVE_FETCH_ALLOW_ADDRESSES="127.0.0.0/8", FACESIEVE_QUEUE_LEASE="60"
        )
        until(lambda: redis.xlen("faces:results") == 1 and pictures.connections)
        status, out, err = worker.stop(20)
        assert (status, out) == (0, "1 job finished (0 refused), 0 tried again, 0 dead.\n"), err
        [held] = redis.xpending_range("faces:jobs", "facesieve", "-", "+", 10)
        assert held["consumer"] == b"returned" and held["times_delivered"] == 0
        # Another worker takes it now, a minute before the lease would be over.
        status, _, err = Worker(
            server.url,
            "--drain",
            "--workers",
            "1",
            FACESIEVE_FETCH_ALLOW_ADDRESSES="127.0.0.0/8",
            FACESIEVE_QUEUE_LEASE="60",
            FACESIEVE_FETCH_TIMEOUT="1",
        ).end(50)
        assert status == 0, err
        assert results(redis)["waits"]["code"] == "fetch_timeout"


def test_workers_stop_reading_while_nobody_takes_results(tmp_path: Path, face: bytes) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        for number in range(12):
            submit(redis, f"{number}", face)
        worker = Worker(
            server.url, "--drain", "--workers", "1", FACESIEVE_QUEUE_MAX_RESULTS="4", FACESIEVE_QUEUE_BATCH="2"
        )
        until(lambda: redis.xlen("faces:results") >= 4)
        time.sleep(3)
        assert 4 <= redis.xlen("faces:results") <= 6
        found = take_results(redis)
        until(lambda: redis.xlen("faces:results") >= 4)
        found |= take_results(redis)
        assert worker.end()[0] == 0
        assert (found | results(redis)).keys() == {f"{number}" for number in range(12)}


def test_metrics_are_served_where_a_port_is_set(tmp_path: Path, face: bytes) -> None:
    import requests

    with RedisServer(tmp_path) as server, RedisServer(tmp_path) as free:
        free.kill()
        redis = server.client()
        submit(redis, "face", face)
        submit(redis, "text", b"no picture")
        worker = Worker(server.url, "--workers", "1", FACESIEVE_QUEUE_METRICS_PORT=str(free.port))
        until(lambda: redis.xlen("faces:results") == 2)
        text = requests.get(f"http://127.0.0.1:{free.port}/metrics", timeout=10).text
        assert 'facesieve_queue_jobs_total{outcome="answered"} 1.0' in text
        assert 'facesieve_queue_refusals_total{code="not_an_image"} 1.0' in text
        assert worker.stop()[0] == 0
        free.start()


@pytest.mark.parametrize(
    ("url", "code"),
    [("localhost:6379", "bad_queue_url"), ("http://localhost", "bad_queue_url"), ("redis://:x:y", "bad_queue_url")],
)
def test_an_address_that_is_none_is_told(url: str, code: str) -> None:
    status, _, err = Worker(url).end()
    assert status == 2 and err.strip().endswith(f"[{code}]") and "Traceback" not in err


def torture(tmp_path: Path, face: bytes, jobs: int, workers: int, kills: int, restarts: int) -> None:
    """Workers and the server are killed while they work; every job but the deadly one has exactly one result."""
    chance = random.Random(7)
    with RedisServer(tmp_path, durable=True) as server:
        redis = server.client()
        deadly = chance.randrange(jobs)
        for number in range(jobs):
            submit(redis, f"{number}", face + (b"POISON" if number == deadly else b""))

        def worker() -> Worker:
            return Worker(
                server.url,
                "--drain",
                "--workers",
                "1",
                deadly=True,
                FACESIEVE_QUEUE_LEASE="2",
                FACESIEVE_QUEUE_BATCH="8",
            )

        running = [worker() for _ in range(workers)]
        moments = sorted(chance.sample(range(jobs // 20, jobs * 9 // 10), kills + restarts))
        of_server = set(chance.sample(moments, restarts))
        for moment in moments:
            until(lambda moment=moment: redis.xlen("faces:results") >= moment, 300)  # type: ignore[misc]
            if moment in of_server:
                server.kill()
                time.sleep(0.5)
                server.start()
            else:
                victim = running.pop(chance.randrange(len(running)))
                victim.kill()
                running.append(worker())
        for one in running:
            status, _, err = one.end(300)
            assert status == 0 and "Traceback" not in err, err
        found, dead = results(redis), [json.loads(fields[b"job"])["id"] for _, fields in redis.xrange("faces:dead")]
        assert dead == [f"{deadly}"]
        assert found.keys() == {f"{number}" for number in range(jobs)} - {f"{deadly}"}
        assert all(one["ok"] for one in found.values())


def test_killed_workers_and_a_restarted_server_cost_no_result_and_double_none(tmp_path: Path, face: bytes) -> None:
    torture(tmp_path, face, jobs=80, workers=2, kills=2, restarts=1)


@pytest.mark.slow
@pytest.mark.parametrize("restarts", [0, 3])
def test_six_hundred_jobs_three_workers_and_ten_kills(tmp_path: Path, face: bytes, restarts: int) -> None:
    torture(tmp_path, face, jobs=600, workers=3, kills=10, restarts=restarts)


def test_ids_of_jobs_cannot_name_any_key() -> None:
    status, _, err = Worker("redis://127.0.0.1:1", "--results", "{id}").end()
    assert status == 2 and "[bad_results]" in err
