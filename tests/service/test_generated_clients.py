"""Generators of clients accept the OpenAPI document without a warning. Skipped where they are not installed."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from facesieve.service.openapi import document
from facesieve.settings import ServiceSettings

PYTHON_GENERATOR = shutil.which("openapi-python-client")
TYPESCRIPT_GENERATOR = os.environ.get("OPENAPI_TYPESCRIPT") or shutil.which("openapi-typescript")


@pytest.fixture
def specification(tmp_path: Path) -> Path:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document(ServiceSettings())))
    return file


@pytest.mark.skipif(PYTHON_GENERATOR is None, reason="needs openapi-python-client (PyPI) in PATH")
def test_openapi_python_client_has_no_warning(specification: Path, tmp_path: Path) -> None:
    client = tmp_path / "client"
    command = [str(PYTHON_GENERATOR), "generate", "--path", str(specification), "--output-path", str(client)]
    found = subprocess.run([*command, "--meta", "none", "--fail-on-warning"], capture_output=True, text=True)
    assert (found.returncode, found.stdout.split()) == (0, ["Generating", str(client)]), found.stdout + found.stderr
    assert (client / "api/default/faces.py").exists() and compileall.compile_dir(client, quiet=2)


@pytest.mark.skipif(
    TYPESCRIPT_GENERATOR is None, reason="needs openapi-typescript (npm) in PATH or in OPENAPI_TYPESCRIPT"
)
def test_openapi_typescript_has_no_warning(specification: Path, tmp_path: Path) -> None:
    types = tmp_path / "schema.d.ts"
    command = [str(TYPESCRIPT_GENERATOR), str(specification), "-o", str(types)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0 and "warn" not in (found.stdout + found.stderr).lower(), found.stderr
    assert '"/v1/faces": {' in types.read_text()
