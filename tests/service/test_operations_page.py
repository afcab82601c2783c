"""`docs/operations.md` lists every setting and every code as they are."""

from __future__ import annotations

import re
from pathlib import Path

from facesieve.service.api_errors import codes
from facesieve.settings import ServiceSettings

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def rows(title: str) -> list[tuple[str, str, str]]:
    """The three cells of each row of the table under a heading."""
    section = PAGE.split(f"\n## {title}\n")[1].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| ([^|]*) \| (.*) \|$", section, re.MULTILINE)


def test_every_setting_is_listed_with_its_sentence() -> None:
    told = {name: sentence for name, _, sentence in rows("Settings")}
    assert told == {name: field.description for name, field in ServiceSettings.model_fields.items()}


def test_every_code_is_listed_with_its_status_and_sentence() -> None:
    assert {code: (int(status), sentence) for code, status, sentence in rows("Codes")} == codes()


def test_every_test_that_stands_behind_a_guarantee_exists() -> None:
    section = PAGE.split("\n## Limits and guarantees\n")[1]
    table = re.findall(r"^\| [^|]+ \|([^|]*) \| ([^|]+) \|$", section, re.MULTILINE)[1:]
    assert len(table) > 20
    for settings, tests in table:
        assert set(re.findall(r"`(\w+)`", settings)) <= set(ServiceSettings.model_fields)
        files = [Path(__file__).parent / name for name in re.findall(r"`([./\w]+\.py)`", tests)]
        assert files and all(file.is_file() for file in files), tests
        text = "".join(file.read_text(encoding="utf-8") for file in files)
        assert all(f"def {name}(" in text for name in re.findall(r"`(test_\w+)`", tests)), tests
