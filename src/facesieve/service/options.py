"""Reads the options in the query of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facesieve.errors import PolicyError
from facesieve.service.answers import AnswerOptions
from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.sieve import Policy

FOR_CLIPS = "footage"  # the policy of clips where the client names none
CROPS = ("none", "aligned", "all")
_YES_NO = {"1": True, "true": True, "0": False, "false": False}


def query_of(arguments: Mapping[str, list[bytes]]) -> dict[str, str]:
    """The options of a query. Raises ApiError `bad_option` for an option that is sent twice or is not text."""
    query = {}
    for name, values in arguments.items():
        try:
            [query[name]] = [value.decode("utf-8") for value in values]
        except ValueError:
            raise _bad(name[:100], "Send each option once, as text in UTF-8.") from None
    return query


def options_of(query: Mapping[str, str], default: Policy, clips: bool = False) -> AnswerOptions:
    """The options of `/v1/faces`: policy, crops, marked, pose; every other name is a limit such as `max_yaw`.

    clips: whether clips are accepted. Their policy is `footage` if the query names none.
    Raises ApiError `bad_option` that names the option.
    """
    left = dict(query)
    named, crops = left.pop("policy", ""), left.pop("crops", "none")
    marked, pose = left.pop("marked", "0"), left.pop("pose", "1")
    if crops not in CROPS:
        raise _bad("crops", f"crops must be one of {', '.join(CROPS)}.")
    if unknown := [name for name in left if not name.startswith(("min_", "max_"))]:
        known = "policy, crops, marked, pose, and limits such as max_yaw and min_blur"
        raise _bad(unknown[0][:100], f"There is no option {unknown[0][:100]!r}; there are {known}.")
    for name, given in (("marked", marked), ("pose", pose)):
        if given not in _YES_NO:
            raise _bad(name, f"{name} must be 0 or 1.")
    policy = policy_of(named or default.name, left, default, clips)
    for_clips = policy_of(named or FOR_CLIPS, left, default, clips) if clips else None
    return AnswerOptions("modern", policy, crops, _YES_NO[marked], _YES_NO[pose], for_clips)


def policy_of(name: str, limits: Mapping[str, Any], default: Policy, clips: bool = False) -> Policy:
    """A preset or the service's own policy by name, never a file, with changed limits.

    clips: whether the preset for clips is known too. Raises ApiError `bad_option`.
    """
    presets = (*Policy.presets_for_pictures(), *([FOR_CLIPS] if clips else []))
    try:
        start = default if name == default.name else Policy.preset(name) if name in presets else None
        if start is None:
            known = dict.fromkeys([default.name, *presets])
            raise _bad("policy", f"policy must be one of {', '.join(known)}.")
        return start.adjusted(
            [f"{limit}={'none' if value is None else value}" for limit, value in limits.items()]
        ).for_pictures()
    except PolicyError as error:
        raise _bad(", ".join(limits)[:100], error.message[:300]) from None


def _bad(option: str, message: str) -> ApiError:
    return ApiError(ErrorCode.BAD_OPTION, message, {"option": option})
