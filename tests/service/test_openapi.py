"""The document is valid, and real answers are of the shapes that it promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from facesieve.service.api_errors import codes


@pytest.fixture(scope="module")
def document(service: Any) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{service.url}/openapi.json", timeout=10).json()
    return found


def check(document: dict[str, Any], path: str, answer: requests.Response, method: str = "post") -> None:
    responses = document["paths"][path][method]["responses"]
    schema = responses[str(answer.status_code)]["content"]["application/json"]["schema"]
    Draft202012Validator(schema | {"components": document["components"]}).validate(answer.json())


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_every_route_that_answers_is_in_the_document(service: Any, document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        [method] = methods
        assert requests.request(method, service.url + path, timeout=10).status_code != 404
    assert len(document["paths"]) == 10


def test_answers_and_errors_are_of_the_promised_shape(service: Any, document: dict[str, Any], astronaut: Path) -> None:
    data = astronaut.read_bytes()
    check(document, "/upload", service.upload(data))
    check(document, "/upload", service.upload(b"nothing"))
    check(document, "/uploads", service.upload(data, b"nothing", path="/uploads"))
    check(document, "/v1/faces", service.faces(data, "?crops=all&marked=1"))
    check(document, "/v1/faces", service.faces(data, "?crops=1"))
    check(document, "/v1/sieve", service.post("/v1/sieve", json={"measures": [{"blur": 3}]}))
    check(document, "/readyz", requests.get(f"{service.url}/readyz", timeout=10), "get")


def test_every_code_is_documented_with_its_status(document: dict[str, Any]) -> None:
    told = {
        (int(status), line.split("`")[1])
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        if status != "200"
        for line in response["description"].splitlines()
    }
    assert told == {(status, code) for code, (status, _) in codes().items() if status != 404}
