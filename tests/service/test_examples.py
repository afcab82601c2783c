"""The examples of the OpenAPI document: their answers have the promised shape, and their commands work as they are."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from facesieve.service.examples import EXAMPLES
from facesieve.service.openapi import document
from facesieve.settings import ServiceSettings

WITH_ANSWER = [path for path, example in EXAMPLES.items() if example.answer is not None]


def content_of(path: str) -> dict[str, Any]:
    [operation] = document(ServiceSettings())["paths"][path].values()
    return dict(operation["responses"]["200"]["content"])


@pytest.mark.parametrize("path", WITH_ANSWER)
def test_the_answer_has_the_shape_of_the_document(path: str) -> None:
    content = content_of(path)["application/json"]
    schema = content["schema"] | {"components": document(ServiceSettings())["components"]}
    Draft202012Validator(schema).validate(content["example"])


def keys(value: Any) -> Any:
    """The keys of all objects in a JSON value; of each list, only its first item counts."""
    if isinstance(value, dict):
        return {key: keys(item) for key, item in value.items()}
    return [keys(item) for item in value[:1]] if isinstance(value, list) else None


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("path", list(EXAMPLES))
def test_the_command_is_answered_as_the_example_says(service: Any, path: str, astronaut: Path, tmp_path: Path) -> None:
    shutil.copy(astronaut, tmp_path / "photo.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    command = EXAMPLES[path].command.replace("http://HOST", service.url).replace("TOKEN", "a-token-for-tests")
    found = subprocess.run(
        [*shlex.split(command), "-s", "--fail"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    if path not in WITH_ANSWER:
        assert found.stdout
        return
    answer, example = json.loads(found.stdout), EXAMPLES[path].answer
    if path == "/v1/faces":  # the example has some of the measures
        for shown, real in zip(example["faces"], answer["faces"], strict=True):
            assert set(shown["measures"]) < set(real["measures"])
            real["measures"] = shown["measures"]
    assert keys(answer) == keys(example)
    if path == "/v1/sieve":
        assert answer == example
