"""The result of a job as JSON: the answer of `/v1/faces`, or a refusal with its code."""

from __future__ import annotations

from pydantic_core import to_json


def answered(id: str, entry: str, answer: bytes) -> bytes:
    """`{"id", "entry", "ok": true, "answer"}`. answer: as JSON."""
    return to_json({"id": id, "entry": entry, "ok": True})[:-1] + b',"answer":' + answer + b"}"


def refused(id: str, entry: str, code: str, message: str) -> bytes:
    """`{"id", "entry", "ok": false, "code", "message"}`."""
    return to_json({"id": id, "entry": entry, "ok": False, "code": code, "message": message})
