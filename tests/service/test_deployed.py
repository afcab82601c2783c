"""The commands and probes that the files of `deploy/` name, run here; `tests/deploy` reads the files themselves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
import yaml

from facesieve.settings import ServiceSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def container() -> dict[str, Any]:
    deployment = next(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    [one] = deployment["spec"]["template"]["spec"]["containers"]
    return dict(one)


def facesieve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "facesieve", *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60)


def test_the_image_without_a_token_says_which_setting_it_needs() -> None:
    command = json.loads(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])
    assert command[0] == "facesieve"
    ended = facesieve(*command[1:], "--port", "0")
    assert (ended.returncode, "FACESIEVE_SERVICE_TOKEN_FILE" in ended.stderr) == (2, True)


def test_the_image_with_a_token_serves_and_its_health_check_passes(start: Any) -> None:
    running = start(address="0.0.0.0", workers=1)
    [check] = re.findall(r'HEALTHCHECK .*CMD \["python", "-c", "(.*)"\]', DOCKERFILE)
    ended = subprocess.run([sys.executable, "-c", check.replace("30025", str(running.port))], timeout=30)
    assert ended.returncode == 0


def test_the_probes_of_the_manifest_are_answered(service: Any) -> None:
    one = container()
    paths = {one[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {requests.get(service.url + path, timeout=5).status_code for path in paths} == {200}
    assert one["ports"][0]["containerPort"] == ServiceSettings.model_fields["port"].default
