"""The review page in a real browser, over 100,000 made-up faces: grid, filters, limits, keys, undo, two windows."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest
from many import face_id, many
from serving import Serving

from facesieve.dataset.decision_file import Change, change_decisions, read_decisions
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.tables.decisions import Effect

pytestmark = pytest.mark.skipif(chromium.WHERE is None, reason="needs Chromium (Debian: apt-get install chromium)")

FACES = 100_000
HOSTILE = "<img src=x onerror=hacked()> \u202egnp.exe " + "long " * 30
TILES = "[...document.querySelectorAll('.tile:not([hidden])')]"
CHOSEN = "document.querySelector('.tile.chosen')"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    root = many(tmp_path_factory.mktemp("many") / HOSTILE[:60].replace("/", "_"), FACES)
    with Serving(root, "--who", "Ada", "--lang", "en") as serving:
        serving.root = root  # type: ignore[attr-defined]
        yield serving


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Tab]:
    tab = chromium.Tab(tmp_path_factory.mktemp("chromium"))
    yield tab
    tab.close()


def until(tab: chromium.Tab, script: str) -> None:
    """Wait until a script is true. It takes long only on a machine that is busy."""
    tab.until(script, 300)


def resize(tab: chromium.Tab, width: int, height: int, scheme: str = "light") -> None:
    tab.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
    tab.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


@pytest.fixture
def page(tab: chromium.Tab, served: Any) -> Iterator[chromium.Tab]:
    """The page as it opens first, with no decisions and nothing that an earlier test left in the tab."""
    (served.root / "decisions.parquet").unlink(missing_ok=True)
    resize(tab, 1400, 900)
    tab.open("about:blank#")
    tab.messages.clear()
    tab.open(f"{served.url}/")
    tab.run("sessionStorage.clear()")
    tab.open("about:blank#")
    open_page(tab, served.address)
    yield tab
    assert tab.complaints() == []


def open_page(tab: chromium.Tab, address: str) -> None:
    tab.open(address)
    until(tab, f"{TILES}.length > 20 && document.getElementById('kept').textContent !== ''")


def key(page: chromium.Tab, name: str) -> None:
    page.press(name, name if len(name) == 1 else "")


def choose(page: chromium.Tab, position: int) -> str:
    """Click a tile, and return the id of its face as the detail shows it."""
    page.run(f"document.getElementById('tile-{position}').click()")
    until(page, f"{CHOSEN}?.dataset.position === '{position}'")
    return shown_face(page, position)


def shown_face(page: chromium.Tab, row: int) -> str:
    until(page, f"document.querySelector('.what p:last-child')?.textContent === '{face_id(row)}'")
    return face_id(row)


def set_to(page: chromium.Tab, name: str, value: str, event: str = "change") -> None:
    page.run(
        f"(() => {{ const one = document.getElementById('{name}'); one.value = {json.dumps(value)};"
        f" one.dispatchEvent(new Event('{event}', {{ bubbles: true }})); }})()"
    )


def total(page: chromium.Tab) -> int:
    return int(page.run("document.getElementById('total').textContent").split(" ")[0].replace(",", ""))


def until_total(page: chromium.Tab, condition: str) -> int:
    until(
        page,
        f"(() => {{ const n = Number(document.getElementById('total').textContent.split(' ')[0].replaceAll(',', ''));"
        f" return {condition}; }})()",
    )
    return total(page)


def decision(served: Any, row: int) -> dict[str, Any] | None:
    return read_decisions(Layout(served.root)).of(face_id(row))


def test_all_faces_are_there_and_only_those_in_view_are_elements(page: chromium.Tab) -> None:
    assert total(page) == FACES
    kept, rejected = (
        int(page.run(f"document.getElementById('{one}').textContent").replace(",", "")) for one in ("kept", "rejected")
    )
    assert kept + rejected == FACES
    seen = set(page.run(f"{TILES}.map(tile => tile.dataset.row)"))
    for share in (0.5, 1):
        page.run(f"document.getElementById('grid').scrollTop = {share} * document.getElementById('grid').scrollHeight")
        least = int(share * FACES) - 2000
        until(page, f"{TILES}.length > 20 && {TILES}.every(tile => Number(tile.dataset.row) >= {least})")
        seen |= set(page.run(f"{TILES}.map(tile => tile.dataset.row)"))
    assert str(FACES - 1) in seen
    assert page.run("document.querySelectorAll('.tile').length") < 250
    until(page, f"{TILES}.map(tile => tile.firstChild).every(one => one.complete && one.src.startsWith('blob:'))")


def test_filters_and_sorts_choose_what_the_grid_shows(page: chromium.Tab) -> None:
    set_to(page, "verdict", "kept")
    kept = until_total(page, f"n < {FACES}")
    assert page.run(f"{TILES}.every(tile => !tile.classList.contains('rejected'))")
    set_to(page, "source", "000123", "input")
    assert until_total(page, "n <= 100") <= 100
    set_to(page, "source", "", "input")
    assert until_total(page, "n > 100") == kept
    set_to(page, "verdict", "")
    set_to(page, "label", "person 00042", "input")
    assert until_total(page, "n === 20") == 20
    set_to(page, "sort", "blur")
    until(page, f"{TILES}[0].lastChild.textContent !== ''")
    values = [
        float(one)
        for one in page.run(
            f"{TILES}.sort((a, b) => a.dataset.position - b.dataset.position).map(tile => tile.lastChild.textContent)"
        )
    ]
    assert values == sorted(values) and len(values) == 20


def test_dragging_across_a_histogram_shows_only_these_faces_and_the_chip_ends_it(page: chromium.Tab) -> None:
    until(page, "document.querySelectorAll('#measure-blur svg rect').length > 50")
    box = page.run("JSON.parse(JSON.stringify(document.querySelector('#measure-blur svg').getBoundingClientRect()))")
    y = box["top"] + 20
    for kind, share in (("mousePressed", 0.25), ("mouseMoved", 0.4), ("mouseReleased", 0.5)):
        x = box["left"] + share * box["width"]
        page.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1, buttons=1)
    few = until_total(page, f"n < {FACES // 2}")
    assert 0.2 * FACES < few < 0.3 * FACES
    page.run("document.querySelector('.chip').click()")
    assert until_total(page, f"n === {FACES}") == FACES


def test_a_slider_counts_at_once_and_the_grid_follows(page: chromium.Tab) -> None:
    before = page.run("document.getElementById('kept').textContent")
    until(page, "document.getElementById('value-blur-0').textContent === '30'")
    set_to(page, "limit-blur-0", "320", "input")
    until(page, f"document.getElementById('kept').textContent !== '{before}'")
    assert "−" in page.run("document.getElementById('change').textContent")
    set_to(page, "verdict", "kept")
    kept = int(page.run("document.getElementById('kept').textContent").replace(",", ""))
    assert until_total(page, f"n === {kept}") == kept
    page.run("document.getElementById('reset').click()")
    until(page, f"document.getElementById('kept').textContent === '{before}'")


def test_keys_move_turn_the_verdict_take_it_back_and_change_the_label(page: chromium.Tab, served: Any) -> None:
    choose(page, 3)
    was = page.run(f"{CHOSEN}.classList.contains('rejected')")
    key(page, "j")
    key(page, "k")
    key(page, "ArrowDown")
    key(page, "ArrowUp")
    until(page, f"{CHOSEN}?.dataset.position === '3'")
    key(page, " ")
    until(
        page, f"{CHOSEN}.classList.contains('hand') && {CHOSEN}.classList.contains('rejected') !== {str(was).lower()}"
    )
    held = decision(served, 3)
    assert held and (held["verdict"], held["who"]) == ("keep" if was else "reject", "Ada")
    key(page, "u")
    until(page, f"!{CHOSEN}.classList.contains('hand')")
    held = decision(served, 3)
    assert held and (held["verdict"], held["label"]) == (None, None)
    shown_face(page, 3)
    key(page, "l")
    until(page, "document.activeElement.id === 'd-label'")
    page.run("document.activeElement.value = 'Mary'")
    page.press("Enter", "\r")
    until(page, f"{CHOSEN}.getAttribute('aria-label').startsWith('Mary')")
    held = decision(served, 3)
    assert held and held["label"] == "Mary"
    key(page, "?")
    until(page, "document.getElementById('keys').open")
    page.run("document.getElementById('keys').close()")


def test_a_reload_keeps_the_filters_the_limits_and_the_chosen_face(page: chromium.Tab) -> None:
    assert "token" not in page.run("location.href")
    set_to(page, "limit-blur-0", "320", "input")
    set_to(page, "verdict", "rejected")
    until_total(page, f"n < {FACES}")
    until(page, "document.querySelector('.tile.rejected') !== null")
    position = page.run(f"{TILES}[4].dataset.position")
    page.run(f"document.getElementById('tile-{position}').click()")
    until(page, f"{CHOSEN} !== null")
    row, count = page.run(f"{CHOSEN}.dataset.row"), total(page)
    page.ask("Page.reload")
    time.sleep(0.5)
    until(page, f"{CHOSEN}?.dataset.row === '{row}' && document.getElementById('verdict').value === 'rejected'")
    assert until_total(page, f"n === {count}") == count


def test_two_windows_see_each_other_and_a_conflict_is_told(page: chromium.Tab, served: Any, tmp_path: Path) -> None:
    other = chromium.Tab(tmp_path)
    try:
        resize(other, 1400, 900)
        open_page(other, served.address)
        choose(page, 5)
        key(page, " ")
        until(page, f"{CHOSEN}.classList.contains('hand')")
        until(other, "document.getElementById('tile-5').classList.contains('hand')")
        choose(other, 6)
        key(other, " ")
        until(other, "document.getElementById('tile-6').classList.contains('hand')")
        until(page, "document.getElementById('tile-6').classList.contains('hand')")
        choose(other, 5)
        other.run("document.getElementById('d-rules').click()")
        until(other, "!document.getElementById('tile-5').classList.contains('hand')")
        page.run("document.getElementById('undo').click()")
        until(page, "document.getElementById('notice').textContent.includes('meanwhile')")
        assert {row: bool((decision(served, row) or {})["verdict"]) for row in (5, 6)} == {5: False, 6: True}
    finally:
        other.close()


def test_hostile_names_and_labels_are_shown_as_text(page: chromium.Tab, served: Any) -> None:
    change_decisions(Layout(served.root), [Change(face_id(1), Effect("keep", HOSTILE), HOSTILE, HOSTILE)])
    until(page, "document.getElementById('tile-1').classList.contains('hand')")
    choose(page, 1)
    until(page, "document.querySelector('.what').textContent.includes('onerror')")
    text = page.run(
        "document.getElementById('card').textContent + document.getElementById('name').textContent + document.title"
    )
    assert "\\u202e" in text and "\u202e" not in text
    assert page.run("document.querySelectorAll('#card img[src=x], h1 img').length") == 0
    assert page.run(
        "document.getElementById('detail').scrollWidth <= document.getElementById('detail').clientWidth + 1"
    )


def test_a_policy_is_saved_and_a_dataset_is_written(page: chromium.Tab, served: Any, tmp_path: Path) -> None:
    page.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    set_to(page, "limit-blur-0", "0", "input")
    page.run("document.getElementById('save').click()")
    end = time.monotonic() + 300
    while not (files := [file for file in tmp_path.glob("*.toml") if file.stat().st_size]):
        assert time.monotonic() < end, "nothing was downloaded"
        time.sleep(0.1)
    assert 'measure = "blur"' not in files[0].read_text() and 'measure = "yaw"' in files[0].read_text()
    page.run("document.getElementById('write').click()")
    set_to(page, "path", "not/there/\u0000", "input")
    page.run("document.getElementById('go').click()")
    until(page, "!document.getElementById('go').disabled && document.getElementById('written').textContent !== ''")
    assert page.run("document.getElementById('folder').open")
    page.run("document.getElementById('folder').close()")


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(390, 844, "dark"), (390, 844, "light"), (1400, 900, "dark"), (1024, 700, "light")]
)
def test_nothing_overflows_and_axe_finds_no_violation(
    page: chromium.Tab, served: Any, width: int, height: int, scheme: str
) -> None:
    resize(page, width, height, scheme)
    until(page, f"{TILES}.length > 10")
    choose(page, 0)
    views = ("limits", "faces", "detail") if width < 800 else ("faces",)
    for view in views:
        if width < 800:
            page.run(f"document.querySelector('#tabs [data-view={view}]').click()")
        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.violations() == []
    page.run("document.getElementById('help').click()")
    assert page.violations() == []
    page.run("document.getElementById('keys').close()")


def test_the_page_without_a_token_says_what_to_open(page: chromium.Tab, served: Any) -> None:
    page.run("sessionStorage.clear()")
    page.open("about:blank#")
    page.open(f"{served.url}/")
    until(page, "document.getElementById('notice').textContent.includes('no token')")


def test_the_page_speaks_chinese(tab: chromium.Tab, tmp_path: Path) -> None:
    root = many(tmp_path / "d", 40)
    with Serving(root, "--lang", "zh") as serving:
        open_page(tab, serving.address)
        assert tab.run("document.querySelector('#limits h2').textContent") == "限值"
        assert tab.run("document.documentElement.lang") == "zh"
        shutil.rmtree(root)
        many(root, 30)
        until(tab, "document.getElementById('total').textContent.startsWith('30 ')")
