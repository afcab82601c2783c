"""docs/policies.md says what the presets and the reasons say."""

from __future__ import annotations

from pathlib import Path

from facesieve.sieve import Policy, Reason, Rule
from facesieve.sieve.reasons import REASON_OF

PAGE = Path(__file__).resolve().parents[2] / "docs" / "policies.md"


def reason_line(reason: Reason) -> str:
    measures = ", ".join(f"`{name}`" for name, given in REASON_OF.items() if given == reason)
    return f"| `{reason}` | {measures} | {reason.sentence} |"


def rule_line(rule: Rule) -> str:
    return f"| `{rule.measure}` | {rule.limits()} | `{rule.reason}` |"


def page() -> list[str]:
    return PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_lists_every_reason_and_no_other() -> None:
    start = page().index("| reason | given for | what it says |") + 2
    assert page()[start : start + len(Reason) + 1] == [*map(reason_line, Reason), ""]


def test_the_page_lists_every_preset_with_its_rules() -> None:
    for name in Policy.presets():
        policy = Policy.preset(name)
        start = page().index(f"### {name}")
        block = ["", policy.sentence, "", "| measure | limits, inclusive | reason |", "|---|---|---|"]
        block += [*map(rule_line, policy.rules), ""]
        assert page()[start + 1 : start + 1 + len(block)] == block
    assert [row.removeprefix("### ") for row in page() if row.startswith("### ")] == list(Policy.presets())
