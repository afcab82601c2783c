"""docs/measures.md says what `MEASURES` says."""

from __future__ import annotations

from math import isinf
from pathlib import Path

from facesieve.quality import ALL_MEASURES, MEASURES, RELATIONS, Measure, measure_named

PAGE = Path(__file__).resolve().parents[2] / "docs" / "measures.md"
COLUMNS = ("measure", "unit", "range", "better", "ISO/IEC 29794-5", "what it says", "source")
HEAD = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]


def line(measure: Measure) -> str:
    top = "" if isinf(measure.high) else f"{measure.high:g}"
    span = f"{measure.low:g} to {top}" if top else f"{measure.low:g} and up"
    cells = (f"`{measure.name}`", measure.unit, span, measure.better, measure.iso_name)
    return "| " + " | ".join((*cells, measure.sentence, measure.source)) + " |"


def test_the_page_has_the_table_of_measures() -> None:
    table = [row for row in PAGE.read_text(encoding="utf-8").splitlines() if row.startswith("|")]
    assert table[: len(MEASURES) + 2] == [*HEAD, *(line(measure) for measure in MEASURES)]


def test_the_page_has_the_table_of_relations() -> None:
    rows = PAGE.read_text(encoding="utf-8").splitlines()
    start = rows.index("| relation | range | better | what it says |") + 2
    spans = [f"{one.low:g} and up" if isinf(one.high) else f"{one.low:g} to {one.high:g}" for one in RELATIONS]
    spans = [span.replace("-inf and up", "any") for span in spans]
    lines = zip(RELATIONS, spans, strict=True)
    table = [f"| `{one.name}` | {span} | {one.better} | {one.sentence} |" for one, span in lines]
    assert rows[start : start + len(RELATIONS) + 1] == [*table, ""]


def test_names_are_unique_and_found() -> None:
    assert len({measure.name for measure in ALL_MEASURES}) == len(ALL_MEASURES)
    assert measure_named("rank_in_picture") in RELATIONS
    assert measure_named("blur") is MEASURES[4]
    assert measure_named("beauty") is None
