"""The server of the page over real sockets: who may ask, what is answered, and what is refused."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from many import face_id, many
from serving import Serving

from facesieve.dataset.decision_file import read_decisions
from facesieve.dataset.disk.layout import Layout


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many(tmp_path_factory.mktemp("many") / "d", 60)


@pytest.fixture(scope="module")
def served(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    root = shutil.copytree(small, tmp_path_factory.mktemp("served") / "d")
    with Serving(root) as serving:
        yield serving


def test_the_page_and_its_files_load_nothing_from_other_hosts(served: Serving) -> None:
    status, headers, body = served.get("/")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert b"http" not in body.replace(b"http-equiv", b"")
    for name in ("main.js", "grid.js", "style.css"):
        assert served.get(f"/{name}")[0] == 200
    assert served.get("/nothing.js")[0] == 404
    assert served.get("/../session.py")[0] == 404
    assert served.token.encode() not in body


def test_nothing_is_answered_without_the_token(served: Serving) -> None:
    for token in ("", "wrong", served.token[:-1], served.token + "x"):
        assert served.ask("facts", X_Review_Token=token)[0] == 401
    assert served.get(f"/api/facts?token={served.token}")[0] == 405
    assert served.ask("facts")[0] == 200


def test_a_page_under_another_name_or_of_another_site_is_refused(served: Serving) -> None:
    """DNS rebinding: the name of another site leads to this address."""
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example"):
        assert served.ask("facts", Host=host)[0] == 403
        assert served.get("/", Host=host)[0] == 403
    assert served.ask("facts", Origin="http://evil.example")[0] == 403
    assert served.ask("facts", Origin=served.url)[0] == 200
    assert served.ask("facts", Host="localhost:9999")[0] == 200, "a tunnel may use another port"


@pytest.mark.parametrize(
    ("kind", "question", "says"),
    [
        ("window", b"no json", "Invalid JSON"),
        ("window", {"count": 10**6}, "count"),
        ("window", {"query": {"sort": "beauty"}}, "no measure 'beauty'"),
        ("window", {"qery": {}}, "qery"),
        ("counts", {"limits": {"blur": [2, 1]}}, "low 2 above high 1"),
        ("counts", {"limits": {"blur": [None, 1e999]}}, "limits"),
        ("face", {"row": 60}, "no such face"),
        ("face", {"row": -1}, "row"),
        ("picture", {"row": 0}, "no such file here"),
        ("decide", {"changes": [{"row": 0, "verdict": "maybe"}]}, "neither keep nor reject"),
        ("decide", {"changes": [{"row": 0, "label": "a\u0000b"}]}, "no control characters"),
        ("write", {"text": ""}, "Name a new folder"),
        ("write", {"text": "x" * 300}, "at most 200 bytes"),
        ("write", {"text": "a\u0000b"}, "control character"),
        ("write", {"text": "/nowhere/x"}, "beside the dataset"),
        ("write", {"text": "../../x"}, "beside the dataset"),
        ("write", {"text": ".."}, "beside the dataset"),
        ("write", {"text": "-x"}, "no minus at the start"),
        ("window", {"query": {"source": "x" * 900_000}}, "at most 1000 characters"),
        ("window", {"query": {"verdict": "zz"}}, "query.verdict"),
        ("window", b'{"query": {"ranges": {"blur": [NaN, 1]}}}', "finite"),
        ("window", {"first": -5}, "first"),
        ("position", {"row": 60}, "no such face"),
    ],
)
def test_a_wrong_question_is_one_sentence(served: Serving, kind: str, question: Any, says: str) -> None:
    status, answer = served.ask(kind, question)
    assert (status, says in answer["message"]) == (400, True), answer
    assert "Traceback" not in answer["message"]
    assert not answer["message"].startswith(":")


def test_a_host_or_origin_that_is_no_address_is_refused(served: Serving) -> None:
    for headers in ({"Host": "[::1"}, {"Origin": "http://["}):
        status, answer = served.ask("facts", **headers)
        assert (status, answer["code"]) == (403, "other_host")


def test_unknown_addresses_and_methods_have_codes(served: Serving) -> None:
    status, _, body = served.get("/nothing/here")
    assert (status, json.loads(body)["code"]) == (404, "not_found")
    status, _, body = served.get("/api/facts")
    assert (status, json.loads(body)["code"]) == (405, "method_not_allowed")


def test_head_is_answered_like_get_without_a_body(served: Serving) -> None:
    with urllib.request.urlopen(urllib.request.Request(served.url + "/", method="HEAD"), timeout=60) as answer:
        assert (answer.status, answer.read()) == (200, b"")
        assert answer.headers["Content-Length"] == str(len(served.get("/")[2]))


def test_a_dataset_is_not_written_into_a_folder_that_has_files(small: Path, tmp_path: Path) -> None:
    root = shutil.copytree(small, tmp_path / "d")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with Serving(root) as serving:
        status, answer = serving.ask("write", {"text": "full"})
    assert (status, answer["code"]) == (409, "not_empty")
    assert [one.name for one in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_question_that_is_too_long_or_unknown_is_refused(served: Serving) -> None:
    assert served.ask("everything")[0] == 404
    assert served.ask("labels", {"text": "x" * 30_000})[0] == 400


def test_a_body_that_is_too_long_is_one_sentence_with_a_code(served: Serving) -> None:
    body = json.dumps({"text": "x" * (3 << 20)}).encode()
    status, answer = served.ask("labels", body)
    assert (status, answer["code"]) == (413, "too_large")
    with closing(http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=60)) as chunked:
        chunked.request("POST", "/api/labels", iter([body]), {"X-Review-Token": served.token}, encode_chunked=True)
        assert chunked.getresponse().status == 413
    assert served.ask("facts")[0] == 200


def test_small_pictures_come_with_their_lengths(served: Serving) -> None:
    status, body = served.ask("crops", {"rows": [3, 4, 3]})
    lengths, at = list[int](), 0
    while at < len(body):
        [length] = struct.unpack_from("<I", body, at)
        assert body[at + 4 : at + 6] == b"\xff\xd8"
        lengths.append(length)
        at += 4 + length
    assert (status, len(lengths), lengths[0]) == (200, 3, lengths[2])


def test_decisions_of_two_servers_are_both_kept_and_a_conflict_is_told(small: Path, tmp_path: Path) -> None:
    root = shutil.copytree(small, tmp_path / "d")
    with Serving(root, "--who", "Ada") as one, Serving(root, "--who", "Bob") as two:
        assert one.ask("decide", {"changes": [{"row": 1, "verdict": "keep"}]})[0] == 200
        assert two.ask("decide", {"changes": [{"row": 2, "verdict": "reject"}]})[0] == 200
        status, answer = two.ask("decide", {"changes": [{"row": 1, "verdict": "reject"}]})
        assert (status, answer["code"], answer["faces"]) == (409, "decided_meanwhile", [face_id(1)])
        assert two.ask("decide", {"changes": [{"row": 1, "verdict": "reject", "seen": 1}]})[0] == 200
        assert one.ask("changes")[1]["rejected"] == 2
    rows = {row["face_id"]: (row["verdict"], row["who"]) for row in read_decisions(Layout(root)).table.to_pylist()}
    assert rows == {face_id(1): ("reject", "Bob"), face_id(2): ("reject", "Bob")}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_dataset_that_cannot_be_written_is_shown_and_decisions_are_refused(small: Path, tmp_path: Path) -> None:
    root = shutil.copytree(small, tmp_path / "d")
    for path in (root, root / ".facesieve"):
        path.chmod(0o555)
    with Serving(root) as serving:
        assert serving.ask("facts")[1]["problem"] == "read_only"
        status, answer = serving.ask("decide", {"changes": [{"row": 1, "verdict": "keep"}]})
        assert (status, answer["code"]) == (503, "cannot_write")


def test_a_dataset_that_is_being_built_is_shown_with_a_note(small: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    root = shutil.copytree(small, tmp_path / "d")
    with FileLock(root / ".facesieve" / "lock"), Serving(root) as serving:
        assert serving.ask("facts")[1]["problem"] == "being_built"
        assert serving.ask("window", {"count": 5})[1]["total"] == 60
        assert serving.ask("decide", {"changes": [{"row": 1, "verdict": "keep"}]})[0] == 200


def test_a_dataset_that_vanishes_is_one_sentence_and_is_back_when_it_is_there_again(
    small: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(small, tmp_path / "d")
    with Serving(root) as serving:
        assert serving.ask("window", {"count": 5, "revision": 1})[0] == 200
        (root / "dataset.json").rename(root / "away.json")
        status, answer = serving.ask("window", {"count": 5, "revision": 1})
        assert (status, answer["code"]) == (503, "not_a_dataset")
        (root / "away.json").rename(root / "dataset.json")
        many(tmp_path / "other", 10)
        shutil.rmtree(root)
        (tmp_path / "other").rename(root)
        status, answer = serving.ask("window", {"count": 5, "revision": 1})
        assert (status, answer["code"]) == (409, "dataset_changed")
        assert serving.ask("facts")[1]["faces"] == 10


def test_ctrl_c_ends_the_server_with_one_line(small: Path) -> None:
    with Serving(small) as serving:
        serving.process.send_signal(signal.SIGINT)
        _, error = serving.process.communicate(timeout=60)
    assert serving.process.returncode == 130
    assert "Traceback" not in error and error.splitlines()[-1].startswith("stopped")


def test_what_is_no_dataset_or_not_finished_is_one_sentence(
    small: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    (tmp_path / "empty").mkdir()
    assert "[not_a_dataset]" in run("review", tmp_path / "nope")[2]
    status, _, error = run("review", tmp_path / "empty")
    assert (status, error.count("\n"), "[not_a_dataset]" in error) == (2, 1, True)
    root = shutil.copytree(small, tmp_path / "half")
    (root / "dataset.json").unlink()
    (root / ".facesieve" / "made.json").write_text("{}")
    assert "is unfinished. Run the same build" in run("review", root)[2]
    assert "There is no language 'xx'" in run("review", small, "--lang", "xx")[2]


def test_a_port_that_is_taken_is_one_sentence(served: Serving, small: Path) -> None:
    port = served.url.rpartition(":")[2]
    command = [sys.executable, "-m", "facesieve", "review", str(small), "--port", port]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "[port_in_use]" in ended.stderr
