"""A policy whose limits were chosen from data, with the evidence for each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from facesieve.sieve import Policy
from facesieve.version import __version__


@dataclass(frozen=True, slots=True)
class Fitted:
    """A policy and why it is as it is.

    facts: what is known of the whole policy, as values for programs. evidence: the same as sentences.
    of_rules: sentences about the rule on each measure.
    """

    policy: Policy
    facts: dict[str, Any]
    evidence: tuple[str, ...]
    of_rules: Mapping[str, tuple[str, ...]]

    def as_json(self) -> dict[str, Any]:
        """The policy and its evidence as JSON values."""
        rules = {name: list(sentences) for name, sentences in self.of_rules.items()}
        return {"policy": self.policy.describe(), **self.facts, "evidence": list(self.evidence), "of_rules": rules}

    def toml(self, source: str) -> str:
        """The policy as a TOML file that `--policy` reads, with the evidence as comments.

        source: where the faces are from, for the first line.
        """
        return "\n".join(_lines(self, source)) + "\n"


def _lines(fitted: Fitted, source: str) -> Iterator[str]:
    # JSON escapes control characters, so no name can leave its comment.
    yield f"# Limits chosen by facesieve fit {__version__} from {json.dumps(source)}."
    yield from (f"# {sentence}" for sentence in fitted.evidence)
    policy = fitted.policy
    yield ""
    yield f"name = {json.dumps(policy.name)}"
    yield f"sentence = {json.dumps(policy.sentence)}"
    for rule in policy.rules:
        yield ""
        yield from (f"# {sentence}" for sentence in fitted.of_rules.get(rule.measure, ()))
        yield "[[rules]]"
        for name, value in rule.model_dump(mode="json").items():
            if value is not None:
                yield f"{name} = {json.dumps(value)}"
