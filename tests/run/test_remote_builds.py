"""Builds of pictures behind URLs, from a real host on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from picture_host import Host, answered, host

Run = Callable[..., tuple[int, str, str]]
OURS = ("--allow-address", "127.0.0.0/8", "--setting", "fetch_tries=1", "--keep-rejected", "--json", "-q")


@pytest.fixture
def portraits(astronaut: Path, hopper: Path) -> dict[str, bytes]:
    return {"/a.png": astronaut.read_bytes(), "/b.jpg": hopper.read_bytes()}


def serving(pictures: dict[str, bytes]) -> Callable[[Host, asyncio.StreamWriter, str], object]:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(pictures[path]) if path in pictures else answered(status="404 Not Found"))

    return answer


def rows(dataset: Path) -> dict[str, tuple[str | None, str]]:
    """Refusal and label of each source, by its name."""
    table = pq.read_table(dataset / "pictures.parquet").to_pylist()
    return {row["source"]: (row["refusal"], row["label"]) for row in table}


def test_a_list_may_hold_urls_and_paths_with_labels(
    tmp_path: Path, run: Run, portraits: dict[str, bytes], hopper: Path
) -> None:
    with host(serving(portraits)) as running:
        (tmp_path / "list.csv").write_text(
            f"url,label\n{running.url('/a.png')},Ada\n{running.url('/gone.jpg')},Ada\n{hopper},Grace\n"
            f"{hopper.as_uri()},Grace\nhttps://user:word@example.org/,Eve\nftp://host/key.jpg,Eve\n"
        )
        status, out, err = run("build", tmp_path / "list.csv", "-o", tmp_path / "out", *OURS)
    assert status == 0, err
    assert rows(tmp_path / "out") == {
        running.url("/a.png"): (None, "Ada"),
        running.url("/gone.jpg"): ("fetch_failed", "Ada"),
        hopper.as_posix(): (None, "Grace"),
        "https://user:word@example.org/": ("bad_url", "Eve"),
        "ftp://host/key.jpg": ("bad_url", "Eve"),
    }
    assert json.loads(out)["faces"] == 2


def test_urls_make_the_same_faces_as_files_with_one_worker_and_with_two(
    tmp_path: Path, run: Run, portraits: dict[str, bytes]
) -> None:
    for name, data in portraits.items():
        (tmp_path / name[1:]).write_bytes(data)
    (tmp_path / "paths.txt").write_text("a.png\nb.jpg\n" * 1)
    with host(serving(portraits)) as running:
        (tmp_path / "urls.txt").write_text("".join(f"{running.url(path)}\n" for path in portraits))
        for kind, workers in (("paths", 1), ("urls", 1), ("urls", 2)):
            output = tmp_path / f"{kind}{workers}"
            arguments = ("-o", output, "--workers", workers, *OURS)
            assert run("build", tmp_path / f"{kind}.txt", *arguments)[0] == 0
    crops = [
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.png")}
        for name in ("paths1", "urls1", "urls2")
    ]
    assert crops[0] == crops[1] == crops[2] and len(crops[0]) >= 2
    faces = [pq.read_table(tmp_path / name / "faces.parquet").drop(["source"]) for name in ("paths1", "urls1", "urls2")]
    key = [("face_id", "ascending")]
    assert faces[0].sort_by(key).equals(faces[1].sort_by(key)) and faces[1].equals(faces[2])


def test_a_url_may_be_an_argument(tmp_path: Path, run: Run, portraits: dict[str, bytes]) -> None:
    with host(serving(portraits)) as running:
        assert run("build", running.url("/a.png"), running.url("//x"), "-o", tmp_path / "out", *OURS)[0] == 0
    assert sorted(running.asked) == ["//x", "/a.png"]
    assert rows(tmp_path / "out") == {running.url("/a.png"): (None, ""), running.url("//x"): ("fetch_failed", "")}


def test_what_was_fetched_is_not_fetched_again_and_what_failed_is_up_to_a_setting(
    tmp_path: Path, run: Run, portraits: dict[str, bytes]
) -> None:
    pictures = {"/a.png": portraits["/a.png"]}
    with host(serving(pictures)) as running:
        (tmp_path / "list.txt").write_text(f"{running.url('/a.png')}\n{running.url('/b.jpg')}\n{running.url('/c')}\n")

        def build() -> list[str]:
            running.asked.clear()
            arguments = ("-o", tmp_path / "out", "--setting", "fetch_builds=3", *OURS)
            assert run("build", tmp_path / "list.txt", *arguments)[0] == 0
            return sorted(running.asked)

        assert build() == ["/a.png", "/b.jpg", "/c"]
        assert build() == ["/b.jpg", "/c"]
        pictures["/b.jpg"] = portraits["/b.jpg"]
        assert build() == ["/b.jpg", "/c"]
        assert build() == []
        assert rows(tmp_path / "out")[running.url("/b.jpg")] == (None, "")
        assert rows(tmp_path / "out")[running.url("/c")] == ("fetch_failed", "")


def test_a_url_that_left_its_list_is_pruned(tmp_path: Path, run: Run, portraits: dict[str, bytes]) -> None:
    with host(serving(portraits)) as running:
        urls = [running.url(path) for path in portraits]
        (tmp_path / "list.txt").write_text("\n".join(urls))
        assert run("build", tmp_path / "list.txt", "-o", tmp_path / "out", *OURS)[0] == 0
        (tmp_path / "list.txt").write_text(urls[1])
        assert run("build", tmp_path / "list.txt", "-o", tmp_path / "out", "--prune", *OURS)[0] == 0
        assert list(rows(tmp_path / "out")) == [urls[1]]
        assert run("forget", tmp_path / "out", urls[1])[0] == 0
    assert rows(tmp_path / "out") == {}


def test_without_leave_nothing_of_this_machine_is_fetched(
    tmp_path: Path, run: Run, portraits: dict[str, bytes]
) -> None:
    with host(serving(portraits)) as running:
        status, _, _ = run("build", running.url("/a.png"), "-o", tmp_path / "out", "-q", "--setting", "pose=none")
    assert status == 1 and running.connections == 0
    assert rows(tmp_path / "out") == {running.url("/a.png"): ("forbidden_address", "")}


def test_a_host_that_is_slow_is_waited_for_longer_than_for_a_picture(
    tmp_path: Path, run: Run, portraits: dict[str, bytes]
) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        await asyncio.sleep(2.5)
        writer.write(answered(portraits["/a.png"]))

    with host(answer) as running:
        (tmp_path / "list.txt").write_text("".join(f"{running.url(f'/{number}')}\n" for number in range(10)))
        arguments = ("-o", tmp_path / "out", "--workers", 2, "--setting", "picture_timeout=2", *OURS)
        status, _, err = run("build", tmp_path / "list.txt", *arguments)
    assert status == 0, err
    assert {refusal for refusal, _ in rows(tmp_path / "out").values()} == {None, "duplicate"}


def test_whatever_is_behind_a_url_costs_one_row(tmp_path: Path, run: Run, portraits: dict[str, bytes]) -> None:
    """A page, a video, a bomb, a trickle, a body and redirects without end, among pictures."""
    video = bytes.fromhex("000000186674797069736f6d0000020069736f6d69736f32") + bytes(5000)

    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        kind = path[1:].rstrip("0123456789")
        if kind == "page":
            writer.write(answered(b"<!doctype html><html><body>no</body></html>", Content_Type="text/html"))
        elif kind == "video":
            writer.write(answered(video, Content_Type="video/mp4"))
        elif kind == "bomb":
            writer.write(answered(b"\x1f\x8b\x08" + bytes(99), Content_Encoding="gzip", Content_Type="image/jpeg"))
        elif kind == "again":
            writer.write(answered(status="302 Found", Location=f"/again{int(path[6:]) + 1}"))
        elif kind == "robots":
            writer.write(answered(portraits["/a.png"], X_Robots_Tag="noai"))
        elif kind == "nothing":
            writer.write(answered())
        elif kind in ("trickle", "endless"):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while not writer.transport.is_closing():
                writer.write(b"x" if kind == "trickle" else bytes(65536))
                await writer.drain()
                await asyncio.sleep(1 if kind == "trickle" else 0)
        else:
            writer.write(answered(portraits[path]))

    expected = {
        "page": "not_an_image",
        "video": "no_video",
        "bomb": "fetch_failed",
        "again0": "too_many_redirects",
        "robots": "disallowed_by_robots_header",
        "nothing": "empty",
        "trickle": "fetch_timeout",
        "endless": "too_many_bytes",
        "a.png": None,
        "b.jpg": None,
    }
    with host(answer) as running:
        lines = [running.url(f"/{name}") for name in expected]
        (tmp_path / "list.txt").write_text("\n".join(lines) + "\ngopher://127.0.0.1/\nmissing.jpg\n")
        limits = ("--setting", "fetch_timeout=2", "--setting", "max_file_bytes=2000000")
        status, _, err = run("build", tmp_path / "list.txt", "-o", tmp_path / "out", *OURS, *limits)
        assert status == 0, err
        found = {name: refusal for name, (refusal, _) in rows(tmp_path / "out").items()}
        assert {name: found[running.url(f"/{name}")] for name in expected} == expected
        assert found["gopher://127.0.0.1/"] == "bad_url" and len(found) == len(expected) + 2
        assert sum(path.startswith("/again") for path in running.asked) == 6


def test_a_build_whose_hosts_have_no_address_ends(tmp_path: Path, run: Run) -> None:
    hosts = [f"http://{number}.nowhere.invalid/{number}.jpg" for number in range(40)]
    (tmp_path / "list.txt").write_text("\n".join(hosts))
    timeouts = ("--setting", "fetch_connect_timeout=2")
    status, _, _ = run("build", tmp_path / "list.txt", "-o", tmp_path / "out", *OURS, *timeouts)
    assert status == 1
    found = rows(tmp_path / "out")
    assert sorted(found) == sorted(hosts)
    assert {refusal for refusal, _ in found.values()} <= {"fetch_failed", "fetch_timeout"}
