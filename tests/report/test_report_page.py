"""The report in a real browser: it counts as the sieve does, speaks two languages, and no name can harm it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import chromium
import pytest

from facesieve.run.build import build_dataset
from facesieve.run.open_dataset import open_dataset
from facesieve.run.write_report import write_report
from facesieve.sieve import Policy
from handmade import sources_in
from many_faces import ManyFaces, dataset_in, pictures_in, spec_of

pytestmark = pytest.mark.skipif(chromium.WHERE is None, reason="needs Chromium")
NASTY = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{FACTS}}</script><!--\u202egnp.exe'
WIDE = "[...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > innerWidth + 1" \
    " && !one.closest('nav, .scroll, svg, details:not([open])')).map(one => one.outerHTML.slice(0, 90))"  # fmt: skip


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Tab]:
    tab = chromium.Tab(tmp_path_factory.mktemp("browser"))
    yield tab
    tab.close()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = dataset_in(tmp_path_factory.mktemp("made"))
    write_report(dataset, language="en")
    return dataset


def opened(tab: chromium.Tab, page: Path) -> None:
    tab.messages.clear()
    tab.open(page.as_uri())


def put(tab: chromium.Tab, field: str, value: str, event: str) -> None:
    """Put a value into a field, as a user would."""
    tab.run(f"(() => {{ const one = {field}; one.value = {value!r}; one.dispatchEvent(new Event({event!r})) }})()")


def test_a_slider_says_what_the_sieve_would_keep(tab: chromium.Tab, dataset: Path) -> None:
    opened(tab, dataset / "report.html")
    found = open_dataset(dataset)
    tab.run(
        "window.card = [...document.querySelectorAll('.measure')]"
        ".find(one => one.querySelector('h3').textContent === 'blur')"
    )
    for limit in (60, 160):
        tab.run(
            f"""(() => {{ const slider = card.querySelector("input");
            slider.value = stopsOf(facts.measures.find(one => one.name === "blur"), "low").indexOf({limit});
            slider.dispatchEvent(new Event("input")); }})()"""
        )
        again = found.rejudge(found.policy.adjusted([f"min_blur={limit}"])).after.kept
        difference = again - found.about.counts.kept
        words = f"keeps {difference} more" if difference > 0 else f"keeps {-difference} fewer"
        assert difference and tab.run("card.querySelector('output').textContent") == words
        assert tab.run("document.querySelector('#what-if code').textContent") == (
            f"facesieve sieve dataset --set min_blur={limit}"
        )
    tab.run("[...document.querySelectorAll('#what-if button')].at(-1).click()")
    assert tab.run("document.getElementById('what-if').hidden") is True
    assert tab.complaints() == []


def test_the_page_asks_for_nothing_else(tab: chromium.Tab, dataset: Path) -> None:
    opened(tab, dataset / "report.html")
    asked = [url for url in tab.requested() if not url.startswith("data:image/jpeg;base64,")]
    assert asked == [(dataset / "report.html").as_uri()]


def test_every_section_is_drawn(tab: chromium.Tab, dataset: Path) -> None:
    opened(tab, dataset / "report.html")
    there = "[...document.querySelectorAll('main section:not([hidden])')].map(one => one.id)"
    assert tab.run(there) == ["funnel", "limits", "joint", "nearest", "labels", "sources", "refused", "made"]
    assert tab.run("document.querySelectorAll('.measure svg rect').length") > 500
    assert tab.run("document.querySelectorAll('#joint svg rect').length") > 100
    assert tab.run("[...document.images].filter(one => !one.complete || !one.naturalWidth).length") == 0
    assert tab.run("document.querySelectorAll('#label-table tbody tr').length") == 5


@pytest.mark.parametrize("width", [320, 390, 800, 1280, 1920])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_overflows_at_any_width(tab: chromium.Tab, dataset: Path, width: int, dark: bool) -> None:
    tab.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    tab.ask("Emulation.setEmulatedMedia", features=scheme)
    opened(tab, dataset / "report.html")
    assert tab.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert tab.run(WIDE) == []
    tab.ask("Emulation.clearDeviceMetricsOverride")


def test_axe_finds_no_violation(tab: chromium.Tab, dataset: Path) -> None:
    opened(tab, dataset / "report.html")
    tab.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert tab.violations() == []


def test_a_confidence_below_one_is_not_shown_as_one(tab: chromium.Tab, dataset: Path) -> None:
    opened(tab, dataset / "report.html")
    assert tab.run("[0.99997, 0.9999, 0.5, 1].map(value => shown('confidence', value))") == [
        "0.99997",
        "0.9999",
        "0.5",
        "1",
    ]


def test_labels_are_sorted_and_found(tab: chromium.Tab, dataset: Path) -> None:
    opened(tab, dataset / "report.html")
    names = "[...document.querySelectorAll('#label-table tbody tr')].map(one => one.cells[0].textContent)"
    kept = "[...document.querySelectorAll('#label-table tbody tr')].map(one => Number(one.cells[4].textContent))"
    tab.run("[...document.querySelectorAll('#label-table th button')].find(one => one.textContent === 'kept').click()")
    assert tab.run(kept) == sorted(tab.run(kept), reverse=True)
    put(tab, "document.querySelector('.filter')", "SON 3", "input")
    assert tab.run(names) == ["person 3"]


def test_the_page_changes_its_language(tab: chromium.Tab, dataset: Path) -> None:
    opened(tab, dataset / "report.html")
    heading = "document.querySelector('#funnel h2').textContent"
    assert tab.run(heading) == "Funnel"
    put(tab, "document.getElementById('language')", "zh", "change")
    assert tab.run(heading) == "漏斗" and "张人脸被保留" in tab.run("document.getElementById('headline').textContent")
    assert tab.run("document.body.innerText.match(/report\\\\.|page\\\\.|undefined|NaN/)") is None
    assert tab.complaints() == []


def test_no_name_can_become_markup_or_disguise_itself(tab: chromium.Tab, tmp_path: Path) -> None:
    policy = Policy.preset()
    sources = [
        replace(one, name=f"{NASTY}/{number}{'x' * 10_000}.png", label=f"{NASTY}{number % 2}")
        for number, one in enumerate(sources_in(pictures_in(tmp_path / "pictures", 6)))
    ]
    build_dataset(sources, tmp_path / "dataset", lambda: ManyFaces(policy), spec_of(policy))
    page = write_report(tmp_path / "dataset")
    assert page.stat().st_size < 3_000_000
    opened(tab, page)
    assert tab.run("document.querySelectorAll('script').length") == tab.run(
        f"{json.dumps(page.read_text(encoding='utf-8').split('<body>')[1])}.match(/<script/g).length"
    )
    assert tab.run("document.querySelectorAll('img[onerror]').length") == 0
    assert "\u202e" not in tab.run("document.body.innerText") and "\\u202e" in tab.run("document.body.innerText")
    assert tab.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert tab.complaints() == []


def test_a_dataset_without_faces_says_so(tab: chromium.Tab, tmp_path: Path) -> None:
    policy = Policy.preset()
    build_dataset([], tmp_path / "dataset", lambda: ManyFaces(policy), spec_of(policy))
    opened(tab, write_report(tmp_path / "dataset", language="en"))
    assert "This dataset has no faces. Pictures: 0, refused: 0." in tab.run("document.body.innerText")
    assert tab.complaints() == []


def test_names_break_at_their_signs_and_a_space_at_the_end_is_seen(tab: chromium.Tab, dataset: Path) -> None:
    opened(tab, dataset / "report.html")
    assert tab.run("nameOf('a_b-c/d').innerHTML") == "a_<wbr>b-<wbr>c/<wbr>d"
    assert [tab.run(f"nameOf({name!r}).textContent") for name in ("Ada", "Ada ", " ")] == ["Ada", "“Ada ”", "“ ”"]


def test_a_limit_that_rejects_nothing_has_one_side(tab: chromium.Tab, dataset: Path) -> None:
    opened(tab, dataset / "report.html")
    tab.run(
        "facts.nearest = [{ ...facts.nearest.find(one => one.kept.length), rejected: [] }]; facts.counts.reasons = {}"
    )
    tab.run("draw()")
    assert tab.run("[...document.querySelector('.card.nearest').children].map(one => one.className)") == [
        *("head", "side kept")
    ]
    assert "0 rejected" in tab.run("document.querySelector('.card.nearest .head').textContent")


def test_the_axes_of_two_measures_can_be_read_on_a_phone(tab: chromium.Tab, dataset: Path) -> None:
    tab.ask("Emulation.setDeviceMetricsOverride", width=390, height=900, deviceScaleFactor=1, mobile=True)
    opened(tab, dataset / "report.html")
    heights = tab.run("[...document.querySelectorAll('#joint text')].map(one => one.getBoundingClientRect().height)")
    assert heights and min(heights) >= 10
    tab.ask("Emulation.clearDeviceMetricsOverride")
