"""Queue workers with a Redis that refuses, forgets or is away."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from queue_workers import Worker, results, submit, until
from redis_server import RedisServer

pytest.importorskip("redis", reason="needs redis, of the extra queue")

from facesieve.queue.entries import Names
from facesieve.queue.state import retry_dead, state_of

NAMES = Names("faces:jobs", "facesieve", "faces:results", "faces:dead")


def waiting(server: RedisServer, redis: Any, **environment: str) -> Worker:
    """A worker that has written one result, so that it waits for jobs."""
    worker = Worker(server.url, "--workers", "1", deadly=False, **environment)
    submit(redis, "first", b"no picture")
    until(lambda: redis.xlen("faces:results") == 1)
    return worker


@pytest.mark.parametrize("key", ["faces:jobs", "faces:results"])
def test_a_key_of_another_kind_is_told_and_loses_no_job(tmp_path: Path, key: str) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        redis.set(key, "text")
        if key == "faces:results":
            submit(redis, "a", b"no picture")
        status, _, err = Worker(server.url, "--drain", "--workers", "1").end()
        assert (status, "[queue_refused]" in err, "Traceback" in err) == (2, True, False), err
        redis.delete(key)
        Worker(server.url, "--drain", "--workers", "1").end()
        assert list(results(redis)) == (["a"] if key == "faces:results" else [])


def test_a_job_whose_result_cannot_be_written_stays(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        worker = waiting(server, redis, FACESIEVE_QUEUE_LEASE="1")
        pipeline = redis.pipeline(transaction=True)
        pipeline.delete("faces:results")
        pipeline.set("faces:results", "text")
        pipeline.xadd("faces:jobs", {"job": json.dumps({"id": "a", "image_base64": "eA=="})})
        pipeline.execute()
        status, _, err = worker.end()
        assert (status, "[queue_refused]" in err, "Traceback" in err) == (2, True, False), err
        redis.delete("faces:results")
        Worker(server.url, "--drain", "--workers", "1", FACESIEVE_QUEUE_LEASE="1").end()
        assert list(results(redis)) == ["a"]


@pytest.mark.parametrize("deleted", ["stream", "group"])
def test_a_stream_or_group_that_was_deleted_is_made_again(tmp_path: Path, deleted: str) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        worker = waiting(server, redis)
        if deleted == "stream":
            redis.delete("faces:jobs")
        else:
            redis.xgroup_destroy("faces:jobs", "facesieve")
        submit(redis, "second", b"no picture")
        until(lambda: redis.xlen("faces:results") == 2)
        status, _, err = worker.stop()
    assert status == 0, err


def test_a_redis_that_was_read_only_is_used_again(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        worker = waiting(server, redis)
        redis.replicaof("127.0.0.1", "1")
        redis.replicaof("NO", "ONE")
        submit(redis, "second", b"no picture")
        until(lambda: redis.xlen("faces:results") == 2)
        status, _, err = worker.stop()
    assert status == 0, err


def test_results_are_written_where_memory_is_full(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        worker = waiting(server, redis)
        pipeline = redis.pipeline(transaction=True)
        pipeline.xadd("faces:jobs", {"job": json.dumps({"id": "second", "image_base64": "eA=="})})
        pipeline.config_set("maxmemory", "1")
        pipeline.execute()
        until(lambda: redis.xlen("faces:results") == 2)
        redis.config_set("maxmemory", "0")
        assert worker.stop()[0] == 0


def test_a_missing_or_wrong_password_ends_a_worker(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        server.client().config_set("requirepass", "secret")
        for url in (server.url, server.url.replace("//", "//:other@")):
            status, _, err = Worker(url, "--workers", "1").end()
            assert (status, "[queue_refused]" in err) == (2, True), err


def test_a_worker_stops_while_redis_is_away(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        redis = server.client()
        worker = waiting(server, redis)
        server.kill()
        assert worker.stop()[0] == 0
        never = Worker(server.url, "--workers", "1")
        assert never.process.stderr
        while "trying again" not in never.process.stderr.readline():
            pass
        assert never.stop()[0] == 0


def test_a_port_for_metrics_that_is_taken_is_told(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server, socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, _, err = Worker(server.url, "--drain", FACESIEVE_QUEUE_METRICS_PORT=port).end()
    assert (status, "[no_metrics_port]" in err, "Traceback" in err) == (2, True, False), err


def test_a_path_through_links_in_a_circle_is_one_refusal(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    with RedisServer(tmp_path) as server:
        redis = server.client()
        for name in ("loop", "pipe"):
            submit(redis, name, path=name)
        Worker(server.url, "--drain", "--workers", "1", "--paths", str(folder)).end()
        codes = {id: one["code"] for id, one in results(redis).items()}
    assert codes in ({"loop": "unreadable", "pipe": "not_a_file"}, {"loop": "not_a_file", "pipe": "not_a_file"})


def test_an_item_whose_answer_was_lost_is_taken_up_by_its_worker(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        redis: Any = server.client()
        worker = Worker(server.url, "--list", "items", "--workers", "1")
        until(lambda: redis.smembers("items:workers"))
        [name] = redis.smembers("items:workers")
        redis.rpush(b"items:processing:" + name, "a@http://127.0.0.1:1/")
        until(lambda: redis.xlen("faces:results") == 1)
        assert worker.stop()[0] == 0
        assert redis.keys("items*") == []


def test_dead_jobs_in_any_form_are_counted_and_submitted_again(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        redis: Any = server.client()
        redis.xadd("faces:dead", {b"reason": b"\xff"})
        for number in range(20):
            redis.xadd("faces:dead", {"job": str(number), "reason": "crashed"})
        assert state_of(redis, NAMES).dead == {"crashed": 20, "\ufffd": 1}
        assert retry_dead(redis, NAMES) == 21
        jobs = [fields[b"job"] for _, fields in redis.xrange("faces:jobs")]
        assert jobs == [b"", *(str(number).encode() for number in range(20))]
        assert (redis.xlen("faces:dead"), retry_dead(redis, NAMES)) == (0, 0)
