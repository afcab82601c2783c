"""README.zh-CN.md has the commands, code, names, links and figures of README.md; words and comments are Chinese."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """Every line of code, indented or fenced, without what explains it: a comment, or words after two spaces."""
    found = re.findall(r"^```\w+\n.*?^```$|(?:^    [^\n]*\n)+", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r"(?<=\S) {2,}\S[^\n]*", "", block) for block in found]


def links(text: str) -> list[str]:
    """Where the page leads, but to the other language."""
    return [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("README")]


def tables(text: str) -> list[list[str]]:
    """The names of code in every row of a table, row by row."""
    return [re.findall(r"`[^`]+`", line) for line in text.splitlines() if line.startswith("|")]


def test_each_leads_to_the_other_at_its_top() -> None:
    assert "](README.zh-CN.md)" in ENGLISH.split("\n\n")[1]
    assert "](README.md)" in CHINESE.split("\n\n")[1]


def test_code_blocks_are_equal_but_for_their_comments() -> None:
    assert len(blocks(ENGLISH)) >= 11
    assert blocks(CHINESE) == blocks(ENGLISH)


def test_sections_tables_and_links_are_those_of_the_english_page_in_its_order() -> None:
    assert CHINESE.count("\n## ") == ENGLISH.count("\n## ") >= 10
    assert tables(CHINESE) == tables(ENGLISH)
    assert links(CHINESE) == links(ENGLISH)


def test_the_measured_figures_are_the_same() -> None:
    measured = [re.findall(r"\d+(?:\.\d+)*|\.\d+", text.split("bench/<name>.py")[1]) for text in (ENGLISH, CHINESE)]
    assert sorted(measured[0]) == sorted(measured[1])
