"""What the options choose: settings, and the policy that judges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facesieve.settings import Settings
from facesieve.sieve import Policy


def choose(file: Path | None, policy: str | None, changes: Sequence[str]) -> tuple[Settings, Policy]:
    """Settings and policy as the options want them; a change names either a setting or a limit.

    Raises SettingsError and PolicyError that name what is off.
    """
    pairs = [_pair(change) for change in changes]
    given = {name: _value(text) for name, text in pairs if name in Settings.model_fields}
    limits = [f"{name}={text}" for name, text in pairs if name not in Settings.model_fields]
    return Settings.load(file, **given), choose_policy(policy, limits, None)
