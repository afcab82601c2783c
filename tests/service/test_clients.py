"""Clients of the reference, unchanged but for address, token and file; and the examples that we give."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node 20 or later")
NEWMAN = shutil.which("newman") or os.environ.get("NEWMAN", "")


@pytest.fixture
def document(shared: Path, service: Any, astronaut: Path) -> str:
    """The reference's own page, with our address, token and file in place of its."""
    text = (shared / "seed/mtcnn_demo.md").read_text(encoding="utf-8")
    text = text.replace("http://127.0.0.1:30025", service.url)
    text = re.sub(r"/C:/Users/liruilong/Pictures/[\w.-]+\.png", str(astronaut), text)
    return (
        text.replace("Authorization: token", "Authorization: a-token-for-tests")
        .replace('"Authorization", "token"', '"Authorization", "a-token-for-tests"')
        .replace("'Authorization': 'token'", "'Authorization': 'a-token-for-tests'")
    )


def block(text: str, begin: str) -> str:
    """The code that begins with some words, up to the end of its fence."""
    return text[text.index(begin) :].partition("```")[0]


def run(*command: str, **more: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **more)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def check(answer: str) -> None:
    body = json.loads(answer)
    assert (body["face_total"], body["face_efficient_total_resp"], len(body["resp"])) == (1, 1, 1)


@curl
def test_the_references_curl_command_runs_as_it_stands(document: str) -> None:
    check(run("bash", "-c", block(document, "curl --location")))


def test_the_references_python_code_runs_as_it_stands(document: str) -> None:
    check(run(sys.executable, "-c", block(document, "import requests")))


@node
def test_the_references_javascript_runs_as_it_stands(document: str, astronaut: Path) -> None:
    opened = f"const fileInput = {{ files: [await (await import('node:fs')).openAsBlob('{astronaut}')] }};\n"
    check(run("node", "--input-type=module", "-e", opened + block(document, "var myHeaders")))


@pytest.fixture
def known(service: Any) -> dict[str, str]:
    return os.environ | {"FACESIEVE_URL": service.url, "FACESIEVE_TOKEN": "a-token-for-tests"}


@curl
def test_the_curl_example_runs(known: dict[str, str], astronaut: Path) -> None:
    check(run("sh", str(EXAMPLES / "upload.sh"), str(astronaut), env=known))


def test_the_python_example_writes_the_kept_crops(known: dict[str, str], astronaut: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    said = run(sys.executable, str(EXAMPLES / "upload.py"), str(astronaut), str(bad), env=known, cwd=tmp_path)
    first, second = said.splitlines()
    assert first == "astronaut.png: 1 faces, 1 kept"
    assert second == "bad.jpg: This file is not a picture."
    assert len(list(tmp_path.glob("*.png"))) == 1


@node
def test_the_javascript_example_says_why(known: dict[str, str], astronaut: Path) -> None:
    assert re.fullmatch(r"[0-9a-f]{32} kept\n", run("node", str(EXAMPLES / "upload.js"), str(astronaut), env=known))


@pytest.mark.slow
@pytest.mark.skipif(not NEWMAN, reason="needs newman (npm install newman; its path in NEWMAN)")
def test_the_postman_collection_passes(service: Any, astronaut: Path) -> None:
    values = {"url": service.url, "token": "a-token-for-tests", "photo": str(astronaut)}
    given = [part for name, value in values.items() for part in ("--env-var", f"{name}={value}")]
    said = run(NEWMAN, "run", str(EXAMPLES / "FaceSieve.postman_collection.json"), *given)
    assert re.search(r"requests\D+8\D+0", said) and re.search(r"assertions\D+12\D+0", said), said


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("schemathesis") is None, reason="needs schemathesis (pip install schemathesis)")
def test_a_fuzz_of_the_whole_openapi_finds_no_500_and_nothing_outside_it(start: Any) -> None:
    running = start(workers=2, waiting=64)
    checks = [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "ignored_auth",
    ]
    options = ["--checks", ",".join(checks), "--max-examples", "60", "--seed", "1", "--generation-database", "none"]
    run("schemathesis", "run", f"{running.url}/openapi.json", *options, "-H", "Authorization: a-token-for-tests")
    assert not [entry for entry in running.events("request") if entry["status"] == 500]
    assert not running.events("failure")
