"""The settings and the policy that the options of a command choose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesieve.errors import SettingsError

if TYPE_CHECKING:
    from facesieve.settings import Settings
    from facesieve.sieve import Policy


def choose_settings(file: Path | None = None, given: Sequence[str] = ()) -> Settings:
    """Settings from a file and `NAME=VALUE`. Raises SettingsError that names what is wrong."""
    from facesieve.settings import Settings

    return Settings.load(file, **dict(map(_pair, given)))


def choose_policy(policy: str | None = None, limits: Sequence[str] = ()) -> Policy:
    """A policy by name or file, with `LIMIT=VALUE` changes. Raises PolicyError that names what is wrong."""
    from facesieve.sieve import DEFAULT, Policy

    return Policy.load(DEFAULT if policy is None else policy).adjusted(limits)


def choose_again(policy: str | None, limits: Sequence[str], before: Policy) -> Policy:
    """The policy to judge again with: the named one, or the one that made the dataset; with changes to it.

    Raises PolicyError that names what is wrong.
    """
    from facesieve.sieve import Policy

    start = before if policy is None else Policy.load(policy)
    return start.adjusted(limits)


def limits_of(changes: Sequence[str] | None, one_per_picture: bool) -> list[str]:
    """The changes of limits that `--set` and its shorthands ask for. If both change one limit, `--set` wins."""
    return [*(["max_rank_in_picture=1"] if one_per_picture else []), *(changes or [])]


def _pair(given: str) -> tuple[str, Any]:
    """Name and value; a value that is not JSON is taken as text."""
    name, separator, text = given.partition("=")
    if not separator:
        raise SettingsError("bad_setting", f"{given!r} is not a setting: write NAME=VALUE, such as crop_size=160.")
    try:
        return name.strip(), json.loads(text)
    except ValueError:
        return name.strip(), text.strip()
