"""A policy as a TOML file, which `--policy FILE` reads."""

from __future__ import annotations

import json

from facesieve.sieve import Policy


def policy_toml(policy: Policy, name: str, sentence: str) -> str:
    """The content of a policy file with these rules. name, sentence: of the new policy."""
    lines = [f"name = {_text(name)}", f"sentence = {_text(sentence)}"]
    for rule in policy.describe()["rules"]:
        lines += ["", "[[rules]]", *(f"{key} = {_value(value)}" for key, value in rule.items() if value is not None)]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
