"""The OpenAPI 3.1 document, built from the same schemas and codes that the service uses."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from facesieve.quality import OF_ONE_PICTURE
from facesieve.records import ANGLES
from facesieve.service import schemas
from facesieve.service.api_errors import codes
from facesieve.service.content_encoding import ACCEPTED_ENCODINGS
from facesieve.service.examples import EXAMPLES, Example
from facesieve.service.options import CROPS, FOR_CLIPS
from facesieve.settings import ServiceSettings
from facesieve.sieve import Policy, Reason
from facesieve.version import __version__

_ANSWERS = (
    schemas.Error,
    schemas.BadImage,
    schemas.ReferenceAnswer,
    schemas.ModernAnswer,
    schemas.SieveRequest,
    schemas.SieveAnswer,
    schemas.PictureInJson,
    schemas.Health,
)
_SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"bearer": []}, {"key": []}]
_UNREAD = (400, 401, 403, 408, 413, 415, 429, 431, 500, 503)
_OF_PICTURES = (*_UNREAD, 422)


def document(settings: ServiceSettings) -> dict[str, Any]:
    """The whole document as plain values."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "FaceSieve",
            "version": __version__,
            "summary": "Finds and measures faces, and says which are fit for recognition and why others are not.",
            "description": _description(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": _paths(settings),
        "components": {
            "schemas": _schemas(settings),
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "The token alone."},
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
            "headers": {
                "RequestId": {
                    "description": "The X-Request-ID of the request, or a new one.",
                    "schema": {"type": "string"},
                },
                "RetryAfter": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}},
            },
        },
    }


def _paths(settings: ServiceSettings) -> dict[str, Any]:
    guarded = {} if settings.open_metrics else {"security": _SECURITY}
    refused = () if settings.open_metrics else (401, 403)
    paths = {
        "/v1/faces": _post(
            "One picture as the body or in a form; the answer has every face with all measures",
            "faces",
            _picture_or_form(),
            _json(_any_of("ModernAnswer", "ClipAnswer")) if settings.accept_video else _ref("ModernAnswer"),
            _OF_PICTURES,
            _options(settings),
        ),
        "/upload": _post(
            "One picture; the answer has the reference's form",
            "upload",
            _form(several=False),
            _ref("ReferenceAnswer"),
            _OF_PICTURES,
        ),
        "/uploads": _post(
            "Several pictures; one entry for each, in order",
            "uploads",
            _form(several=True),
            _json({"type": "array", "items": _any_of("ReferenceAnswer", "BadImage")}),
            _UNREAD,
        ),
        "/v1/sieve": _post(
            "Judge measures again, without a picture",
            "sieve",
            {"required": True, "content": _ref("SieveRequest")},
            _ref("SieveAnswer"),
            _UNREAD,
        ),
        "/livez": _get("Whether the service runs", "livez", _ref("Health")),
        "/readyz": _get("Whether the service is ready for pictures", "readyz", _ref("Health"), errors=(503,)),
        "/metrics": _get("Metrics for Prometheus", "metrics", _text("text/plain"), refused, guarded),
        "/openapi.json": _get("This document", "openapi", _json({"type": "object"})),
        "/docs": _get("This document as a page", "docs", _text("text/html")),
        "/": _get("The page, which sieves pictures in the browser", "page", _text("text/html")),
    }
    for path, [operation] in ((path, methods.values()) for path, methods in paths.items()):
        _add_example(operation, EXAMPLES[path])
    return paths


def _add_example(operation: dict[str, Any], example: Example) -> None:
    """Add the command where documentation tools look for it, and the answer."""
    operation["x-codeSamples"] = [{"lang": "Shell", "source": example.command}]
    if example.answer is not None:
        operation["responses"]["200"]["content"]["application/json"]["example"] = example.answer


def _get(
    summary: str, name: str, content: Any, errors: tuple[int, ...] = (), more: dict[str, Any] | None = None
) -> dict[str, Any]:
    responses = {"200": _answer("Success.", content)} | _errors(errors)
    return {"get": {"operationId": name, "summary": summary, "security": [], "responses": responses} | (more or {})}


def _post(
    summary: str,
    name: str,
    body: dict[str, Any],
    content: Any,
    errors: tuple[int, ...],
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "security": _SECURITY,
            "parameters": parameters or [],
            "requestBody": body,
            "responses": {"200": _answer("Success.", content)} | _errors(errors),
        }
    }


def _answer(description: str, content: Any, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    always = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}
    return {"description": description, "headers": always | (headers or {}), "content": content}


def _errors(statuses: tuple[int, ...]) -> dict[str, Any]:
    """One response per status, with the codes that have it. Every route may answer 405."""
    answers = {}
    for status in sorted({*statuses, 405}):
        lines = [f"- `{code}`: {sentence}" for code, (of, sentence) in codes().items() if of == status]
        headers = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}} if status == 429 else {}
        answers[str(status)] = _answer("\n".join(lines), _ref("Error"), headers)
    return answers


def _options(settings: ServiceSettings) -> list[dict[str, Any]]:
    for_clips = [FOR_CLIPS] if settings.accept_video else []
    known = list(dict.fromkeys([*Policy.presets_for_pictures(), settings.policy, *for_clips]))
    options: list[tuple[str, dict[str, Any], str]] = [
        (
            "policy",
            {"type": "string", "enum": known},
            "The policy whose limits apply, unless other options change them.",
        ),
        (
            "crops",
            {"type": "string", "enum": list(CROPS), "default": "none"},
            "Which crops of each face the answer contains.",
        ),
        (
            "marked",
            {"type": "string", "enum": ["0", "1"], "default": "0"},
            "1: the answer contains the picture with boxes and numbers.",
        ),
        (
            "pose",
            {"type": "string", "enum": ["0", "1"], "default": "1"},
            "0: pose is not measured, and its limits do not apply.",
        ),
    ]
    for limit, sentence in limits().items():
        kind = {"anyOf": [{"type": "number", **_not_negative(limit)}, {"const": "none"}]}
        options.append((limit, kind, sentence))
    return [
        {"name": name, "in": "query", "required": False, "description": sentence, "schema": schema}
        for name, schema, sentence in options
    ]


def _not_negative(limit: str) -> dict[str, int]:
    bound, _, measure = limit.partition("_")
    return {"minimum": 0} if bound == "max" and measure in ANGLES else {}


def limits() -> dict[str, str]:
    """All limits by name, each with a sentence."""
    return {
        f"{bound}_{measure.name}": f"{'Least' if bound == 'min' else 'Most'}: {measure.sentence}"
        for measure in OF_ONE_PICTURE
        for bound in ("min", "max")
    }


def _form(several: bool) -> dict[str, Any]:
    file = {
        "type": "string",
        "format": "binary",
        "contentMediaType": "application/octet-stream",
        "description": "A file, or a text field with the picture in base64 or as a data URL.",
    }
    image = {"type": "array", "items": file, "minItems": 1} if several else file
    schema = {"type": "object", "required": ["image"], "properties": {"image": image}}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _picture_or_form() -> dict[str, Any]:
    """The bodies of /v1/faces. Generators of clients reject a type such as image/jpeg, so a description names it."""
    form = _form(several=False)
    picture = {
        "type": "string",
        "format": "binary",
        "description": "The bytes of the picture; image/jpeg and other image types are read in the same way. "
        "A body of the type text/plain is the picture in base64, or a data URL.",
    }
    content = {"application/octet-stream": {"schema": picture}} | form["content"] | _ref("PictureInJson")
    return form | {"content": content}


def _schemas(settings: ServiceSettings) -> dict[str, Any]:
    answers = (*_ANSWERS, schemas.ClipAnswer) if settings.accept_video else _ANSWERS
    _, definitions = models_json_schema(
        [(model, "serialization") for model in answers], ref_template="#/components/schemas/{model}"
    )
    found: dict[str, Any] = definitions["$defs"]
    return found


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> dict[str, Any]:
    return _json({"$ref": f"#/components/schemas/{name}"})


def _any_of(*names: str) -> dict[str, Any]:
    return {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}


def _text(kind: str) -> dict[str, Any]:
    return {kind: {"schema": {"type": "string"}}}


def _description() -> str:
    reasons = "\n".join(f"- `{reason.value}`: {reason.sentence}" for reason in Reason)
    measures = "\n".join(
        f"- `{measure.name}`{f' ({measure.unit})' if measure.unit else ''}: {measure.sentence}"
        for measure in OF_ONE_PICTURE
    )
    encodings = " or ".join(ACCEPTED_ENCODINGS)
    sent = f"The body of a request may have Content-Encoding {encodings}; limits apply to the unpacked bytes too."
    return f"{sent}\n\nReasons of rejected faces:\n\n{reasons}\n\nMeasures:\n\n{measures}"
