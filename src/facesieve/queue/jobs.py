"""A job of the queue: a picture, and the options of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.service.answers import AnswerOptions
from facesieve.service.api_errors import ApiError
from facesieve.service.options import options_of
from facesieve.sieve import Policy

FIELD = b"job"  # the field of a stream entry that holds the job as JSON
_SOURCES = ("url", "path", "image_base64")
_LONGEST_ID = 512


class BadJob(Exception):  # noqa: N818 - it is an outcome, not an error
    """What is wrong with a job, as a stable code and a sentence. id: the id of the job, or "" if it has none."""

    def __init__(self, code: str, message: str, id: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.id = code, message, id


@dataclass(frozen=True, slots=True)
class Job:
    """A picture to process. id: chosen by the submitter. kind: `url`, `path` or `image_base64`. where: its value."""

    id: str
    kind: str
    where: str
    options: AnswerOptions


def job_of(text: bytes, default: Policy, clips: bool = False) -> Job:
    """A job from its JSON: `{"id", "url" | "path" | "image_base64", "options"}`.

    options: names and values as in the query of `/v1/faces`. default: the policy if the options name none. clips:
    whether clips are accepted.
    Raises BadJob `bad_job` or `bad_option`.
    """
    try:
        asked = from_json(text)
    except ValueError:
        raise BadJob("bad_job", "The job is not JSON.") from None
    if not isinstance(asked, dict):
        raise BadJob("bad_job", "The job is not a JSON object.")
    id = asked.get("id", "")
    if not isinstance(id, str | int) or isinstance(id, bool) or len(str(id)) > _LONGEST_ID:
        raise BadJob("bad_job", f"The id of the job is not a string or number of at most {_LONGEST_ID} characters.")
    id, options = str(id), asked.get("options", {})
    named = [kind for kind in _SOURCES if asked.get(kind) is not None]
    if len(named) != 1 or not isinstance(asked[named[0]], str):
        raise BadJob("bad_job", f"The job names its picture by one of {', '.join(_SOURCES)}, as a string.", id)
    if unknown := sorted(asked.keys() - {"id", "options", *_SOURCES}):
        raise BadJob("bad_job", f"The job has an unknown key {unknown[0][:100]!r}.", id)
    if not isinstance(options, dict):
        raise BadJob("bad_job", "The options of the job are not a JSON object.", id)
    try:
        return Job(id, named[0], asked[named[0]], answer_options(options, default, clips))
    except ApiError as fault:
        raise BadJob(fault.code, fault.message, id) from None


def answer_options(options: Mapping[str, Any], default: Policy, clips: bool = False) -> AnswerOptions:
    """The options of a job, whose values may be text, numbers, booleans or null. Raises ApiError `bad_option`."""
    return options_of(_query(options), default, clips)


def _query(options: Mapping[str, Any]) -> dict[str, str]:
    """The options as text, as in a query."""
    words = {True: "1", False: "0", None: "none"}
    return {
        name: words[value] if isinstance(value, bool) or value is None else str(value)
        for name, value in options.items()
    }


def path_within(text: str, folder: Path | None) -> Path:
    """The path of a file that a job names. folder: the folder that it must be in; None allows no file.

    Raises Refused `outside_tree`, `unreadable`.
    """
    if folder is None:
        message = "This worker takes no paths; start it with --paths FOLDER to let jobs name files in a folder."
        raise Refused(RefusalCode.OUTSIDE_TREE, message)
    try:
        path = (folder / text).resolve()
    except (OSError, ValueError, RuntimeError):  # the last: links that form a circle, before Python 3.13
        raise Refused(RefusalCode.UNREADABLE) from None
    if not path.is_relative_to(folder.resolve()):
        raise Refused(RefusalCode.OUTSIDE_TREE, "The path of the job leads out of the folder given with --paths.")
    return path
