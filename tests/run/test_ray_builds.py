"""Builds in a real Ray cluster of two nodes: the same dataset, whatever dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from dangerous import Hangs, Killer
from raycluster import RayNodes, actors, build, kill_cluster, ray_client_server, ray_nodes
from s3_server import S3Server

from facesieve.records import Source
from facesieve.run.build import build_dataset
from facesieve.settings import Settings
from handmade import Handmade, build_spec, files_in, photos, sources_in

pytest.importorskip("ray", reason="needs Ray: pip install 'facesieve[ray]'")
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayNodes]:
    with ray_nodes(2) as nodes:
        yield nodes


def portraits(folder: Path, portrait: Path, count: int, enlarged: int = 1) -> Path:
    """Different pictures of one face. enlarged: pictures with more pixels are more work."""
    pixels = cv2.imread(str(portrait))
    folder.mkdir()
    for index in range(count):
        cut = pixels[index % 37 : 380 + index % 41, 60 + index % 29 : 440 - index % 31]
        cut = cv2.resize(cut, None, fx=enlarged, fy=enlarged)
        cv2.imwrite(str(folder / f"{index:03}.jpg"), cut, [cv2.IMWRITE_JPEG_QUALITY, 80 + index % 11])
    (folder / "empty.jpg").touch()
    return folder


def finished(child: subprocess.Popen[str], seconds: float = 300) -> tuple[int, str, str]:
    said, errors = child.communicate(timeout=seconds)
    return child.returncode, said, errors


@pytest.mark.slow
def test_a_build_in_a_cluster_writes_into_a_bucket_by_way_of_a_shared_folder(
    cluster: RayNodes, few: Path, few_here: tuple[str, dict[str, bytes]], tmp_path: Path, s3: S3Server
) -> None:
    url, local = f"{s3.folder()}out", tmp_path / "local"
    assert finished(build(few, local, "-q", "--crops-as", "shards", env=dict(os.environ)))[0] == 0
    options = ("--work-folder", str(tmp_path / "work"), "-q", "--on", "ray")
    environment = {**cluster.environment, **s3.environment()}
    status, said, errors = finished(build(few, url, *options, env=environment))
    assert (status, said) == (0, few_here[0]), errors
    there = {name: data for name, data in s3.objects(f"{url}/").items() if not name.startswith(".facesieve/")}
    assert there == files_in(local) == files_in(tmp_path / "work")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return portraits(tmp_path_factory.mktemp("few") / "photos", astronaut, 19)


@pytest.fixture(scope="module")
def few_here(few: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, bytes]]:
    """The last line and the dataset of a build without Ray."""
    out = tmp_path_factory.mktemp("here") / "out"
    status, said, errors = finished(build(few, out, "-q", env=dict(os.environ)))
    assert (status, errors) == (0, "")
    return said, files_in(out)


def test_a_build_in_a_cluster_makes_the_same_bytes_and_says_the_same(
    cluster: RayNodes, few: Path, few_here: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    child = build(few, tmp_path / "out", "--on", "ray", env=cluster.environment)
    status, said, errors = finished(child)
    lines = [line for line in errors.splitlines() if not line.startswith("refused: ")]
    assert (status, said.splitlines()[-1]) == (0, few_here[0].strip())
    assert lines[0].startswith("0/20 pictures") and lines[-1].startswith("20/20 pictures")
    assert all("/20 pictures" in line for line in lines), "Ray's own messages are not shown"
    assert files_in(tmp_path / "out") == few_here[1]
    assert not (tmp_path / "out" / ".facesieve" / "permits").exists()
    assert no_actors()
    again = build(few, tmp_path / "out", "-q", "--on", "ray", env=cluster.environment)
    assert finished(again) == (0, few_here[0], "")


@pytest.mark.slow
def test_embeddings_are_computed_on_the_nodes(cluster: RayNodes, few: Path, tmp_path: Path) -> None:
    options = ("-q", "--identity", "dlib-resnet", "--keep-rejected", "--set", "min_blur=1000000")
    here, there = tmp_path / "here", tmp_path / "there"
    said = finished(build(few, here, *options, env=dict(os.environ)))
    assert (said[0], said[2]) == (0, "")
    assert finished(build(few, there, *options, "--on", "ray", env=cluster.environment)) == said
    assert files_in(there) == files_in(here)
    faces, rows = (pq.read_table(there / f"{name}.parquet") for name in ("faces", "embeddings"))
    assert len(rows) > 5 and rows["embedding"].null_count == 0 and not any(faces["kept"].to_pylist())


@pytest.mark.slow
def test_one_face_of_each_picture_is_kept_in_a_cluster_too(cluster: RayNodes, astronaut: Path, tmp_path: Path) -> None:
    face = cv2.imread(str(astronaut))[0:256, 96:352]
    for name, sides in (("two", (200, 140)), ("three", (120, 200, 160)), ("one", (200,))):
        group = np.full((240, 620, 3), 90, np.uint8)
        for at, side in enumerate(sides):
            group[20 : 20 + side, at * 205 : at * 205 + side] = cv2.resize(face, (side, side))
        (tmp_path / "photos" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "photos" / name / "a.png"), group)
    options = ("-q", "--one-per-picture", "--policy", "lenient", "--keep-rejected", "--label-from", "folder:1")
    for out, more in (("here", ()), ("ray", ("--on", "ray"))):
        child = build(tmp_path / "photos", tmp_path / out, *options, *more, env=cluster.environment)
        status, _, errors = finished(child)
        assert (status, errors) == (0, "")
    assert files_in(tmp_path / "ray") == files_in(tmp_path / "here")
    rows = pq.read_table(tmp_path / "ray" / "faces.parquet").to_pylist()
    assert sorted(row["label"] for row in rows if row["kept"]) == ["one", "three", "two"]
    assert [row["reasons"] for row in rows if not row["kept"]] == [["not_the_main_face"]] * 3
    assert all(row["crop_hash"] for row in rows)


class InCluster:
    """Builds with `Handmade` in actors, from this process."""

    def __init__(self, cluster: RayNodes) -> None:
        self.environment = cluster.environment

    def __call__(self, sources: list[Source], out: Path, **settings: object) -> dict[str, str]:
        """Build, and return the refusal codes by source."""
        from facesieve.models.store import Store
        from facesieve.run.engines.ray_engine import ray_engine
        from facesieve.run.inference import loaded_models

        given = Settings.load()
        with ray_engine("ray", given, sources, loaded_models(given, Store(given)), allow_mixed_engines=False) as engine:
            assert (engine.cluster.processors(), engine.workers) == (2, 2)
            build_dataset(sources, out, Handmade, build_spec(**settings), engine=engine)
        rows = pq.read_table(out / "pictures.parquet").to_pylist()
        return {row["source"]: row["refusal"] for row in rows if row["refusal"]}


@pytest.fixture
def in_cluster(cluster: RayNodes, monkeypatch: pytest.MonkeyPatch) -> InCluster:
    monkeypatch.setenv("RAY_ADDRESS", cluster.environment["RAY_ADDRESS"])
    return InCluster(cluster)


@pytest.mark.slow
def test_pictures_that_kill_or_hang_their_actor_are_one_refusal_each(
    in_cluster: InCluster, tmp_path: Path, astronaut: Path
) -> None:
    heap = photos(tmp_path / "heap", astronaut, count=6)
    opens: dict[str, Callable[[], object]] = {"Grace/002.png": Killer(heap), "Ada/003.png": Hangs(heap)}
    sources = [replace(source, open=opens.get(source.name, source.open)) for source in sources_in(heap)]
    handler = signal.getsignal(signal.SIGTERM)
    refused = in_cluster(sources, tmp_path / "out", picture_timeout=4)
    assert refused == {
        "Grace/002.png": "crashed",
        "Ada/003.png": "too_slow",
        "Ada/empty.jpg": "empty",
        "Ada/notes.txt": "not_an_image",
        "Ada/001.png": "duplicate",
    }
    assert signal.getsignal(signal.SIGTERM) is handler
    build_dataset(sources_in(heap), tmp_path / "alone", Handmade, build_spec())
    in_cluster(sources_in(heap), tmp_path / "out")
    assert files_in(tmp_path / "out") == files_in(tmp_path / "alone")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """Work for a minute, so that a build is not over before it was killed ten times."""
    return portraits(tmp_path_factory.mktemp("many") / "photos", astronaut, 200, enlarged=7)


@pytest.fixture(scope="module")
def many_here(many: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, bytes]]:
    out = tmp_path_factory.mktemp("here") / "out"
    status, said, errors = finished(build(many, out, "-q", env=dict(os.environ)), 1200)
    assert (status, errors) == (0, "")
    return said, files_in(out)


def kill_an_actor(child: subprocess.Popen[str], known: set[int]) -> int:
    """Kill an actor that is not known yet, at some moment of its start or its work."""
    while (pid := next_actor(child, known)) is not None:
        time.sleep(random.uniform(0, 4))
        with suppress(ProcessLookupError):  # its node was killed
            os.kill(pid, signal.SIGKILL)
            return pid
    raise AssertionError(f"the build ended after {len(known)} kills: {child.communicate()}")


def next_actor(child: subprocess.Popen[str], known: set[int]) -> int | None:
    """An actor that is not known yet; None when the build has ended."""
    while child.poll() is None:
        fresh = [pid for pid in actors() if pid not in known]
        if fresh:
            return random.choice(fresh)
        time.sleep(0.02)
    return None


SMALL_SHARDS = ("--setting", "shard_size=8")


@pytest.mark.slow
def test_ten_actors_two_nodes_and_the_driver_are_killed_and_nothing_is_lost_or_done_twice(
    cluster: RayNodes, many: Path, many_here: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    out, killed = tmp_path / "out", set[int]()
    child = build(many, out, "-q", "--on", "ray", *SMALL_SHARDS, env=cluster.environment)
    for number in range(10):
        killed.add(kill_an_actor(child, killed))
        if number in (3, 6):
            cluster.kill()
            time.sleep(1)
            cluster.add()
        if number == 8:
            child.kill()
            child.communicate()
            child = build(many, out, "-q", "--on", "ray", *SMALL_SHARDS, env=cluster.environment)
    status, said, errors = finished(child, 1200)
    assert (status, said, errors) == (0, many_here[0], "")
    assert files_in(out) == many_here[1]
    sources = [row for part in (out / ".facesieve" / "parts").iterdir() for row in pq.read_table(part)["source"]]
    assert len(sources) == len(set(map(str, sources))) == 201
    assert no_actors()


@pytest.mark.slow
def test_actors_of_a_dead_driver_write_nothing_while_the_next_one_builds(
    many: Path, many_here: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    """A cluster keeps the actors of a lost client for 30 seconds."""
    with TemporaryDirectory() as folder, ray_client_server(Path(folder)) as (address, env):
        kill_the_client(address, env, many, many_here, tmp_path / "out")


def wait_for_a_part(child: subprocess.Popen[str], out: Path) -> Path:
    """Wait until a build has finished a shard, and return the folder of these."""
    parts = out / ".facesieve" / "parts"
    while not (parts.is_dir() and any(parts.iterdir())):
        assert child.poll() is None, child.communicate()
        time.sleep(0.02)
    return parts


def kill_the_client(
    address: str, env: dict[str, str], many: Path, many_here: tuple[str, dict[str, bytes]], out: Path
) -> None:
    child = build(many, out, "--on", address, *SMALL_SHARDS, env=env)
    parts = wait_for_a_part(child, out)
    child.kill()
    child.communicate()
    left = actors()
    status, said, errors = finished(build(many, out, "-q", env=dict(os.environ)), 1200)
    assert left and (status, said, errors) == (0, many_here[0], "")
    seen = files_in(out)
    assert seen == many_here[1]
    numbers = sorted(parts.iterdir())
    assert no_actors(), "their client is lost"
    assert (files_in(out), sorted(parts.iterdir())) == (seen, numbers)


@pytest.mark.slow
def test_a_build_whose_head_node_dies_ends_with_one_sentence_and_starts_no_cluster_of_its_own(
    many: Path, many_here: tuple[str, dict[str, bytes]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with TemporaryDirectory() as folder, ray_client_server(Path(folder)) as (address, env):
        child = build(many, out, "-q", "--on", address, *SMALL_SHARDS, env=env)
        wait_for_a_part(child, out)
        kill_cluster(Path(folder))
        started = set[str]()
        while child.poll() is None:
            started |= {line for line in ray_processes(child.pid) if "gcs_server" in line or "raylet" in line}
            time.sleep(0.2)
    status, said, errors = finished(child)
    assert (status, said, started) == (2, "", set())
    assert errors.splitlines()[-1] == (
        "error: The connection to the Ray cluster is lost. Run the same build again. [cluster_lost]"
    )
    assert finished(build(many, out, "-q", env=dict(os.environ)), 1200) == (0, many_here[0], "")
    assert files_in(out) == many_here[1]


@pytest.mark.slow
@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM])
def test_a_local_cluster_ends_with_its_build_however_that_ends(
    many: Path, many_here: tuple[str, dict[str, bytes]], tmp_path: Path, signalled: signal.Signals
) -> None:
    out, env = tmp_path / "out", {**os.environ, "TMPDIR": "/tmp"}
    child = build(many, out, "--on", "ray", *SMALL_SHARDS, env=env)
    assert child.stderr
    assert any(line.startswith("0/201") for line in child.stderr)
    assert next_actor(child, set()) is not None
    time.sleep(0.5)
    assert len(ray_processes(child.pid)) > 3
    os.killpg(child.pid, signalled)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 128 + signalled
    last = errors.splitlines()[-1]
    assert last.startswith("stopped") and last.endswith(f"and the same command continues {out}")
    assert gone(child.pid)
    child = build(many, out, "-q", "--on", "ray", env=env)
    assert next_actor(child, set()) is not None
    child.kill()
    child.communicate()
    assert gone(child.pid)
    assert finished(build(many, out, "-q", "--on", "ray", env=env), 1200) == (0, many_here[0], "")
    assert files_in(out) == many_here[1]


def no_actors() -> bool:
    """Whether all actors end in time: of a finished build at once, of a lost client after 30 seconds."""
    deadline = time.monotonic() + 90
    while actors() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not actors()


def ray_processes(session: int) -> list[str]:
    """The command lines of the living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(command)
    return found


def gone(session: int) -> bool:
    """Whether all processes of a session end. Some of a killed build take half a minute to notice that it is gone."""
    deadline = time.monotonic() + 120
    while (left := ray_processes(session)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left, left
    return True
