from __future__ import annotations

import base64
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from facesieve.dataset.disk.layout import Layout
from facesieve.report.sheet import contact_sheet
from facesieve.run.build import build_dataset
from facesieve.run.open_dataset import open_dataset
from facesieve.sieve import Policy
from handmade import Handmade, Hashed, build_spec, compared_spec, photos, sources_in


class Page(HTMLParser):
    """The cards of a page, and everything on it that could reach another host."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.cards: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.scripts = 0
        self.text: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.scripts += tag == "script"
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action", "onerror", "onload")]
        if tag == "article":
            self.cards.append(values)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    return photos(tmp_path / "heap", astronaut)


@pytest.fixture
def dataset(heap: Path, tmp_path: Path) -> Layout:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    return Layout(tmp_path / "out")


def test_every_face_is_a_card_with_its_picture_verdict_and_reasons(dataset: Layout) -> None:
    page = Page(dataset.sheet.read_bytes())
    faces = pq.read_table(dataset.faces).to_pylist()
    shown = [(card["class"] == "kept", (card["data-reasons"] or "").split()) for card in page.cards]
    assert sorted(shown) == sorted((row["kept"], row["reasons"]) for row in faces)
    assert len(page.links) == len(faces), "rejected faces are shown though their crops were not written"
    assert all(base64.b64decode(link.split(",")[1]).startswith(b"\xff\xd8") for link in page.links)
    words = " ".join(page.text)
    for row in faces:
        assert row["face_id"] in words and row["source"] in words and f"{row['blur']:.4g}" in words


def test_a_card_shows_the_fitter_near_duplicate_beside_the_face(heap: Path, tmp_path: Path) -> None:
    build_dataset(sources_in(heap), tmp_path / "out", Hashed, compared_spec())
    page, faces = (
        (tmp_path / "out" / "contact_sheet.html").read_text(),
        pq.read_table(tmp_path / "out" / "faces.parquet"),
    )
    rows = faces.to_pylist()
    fallen = [row for row in rows if row["reasons"] == ["near_duplicate"]]
    first = {row["source"] for row in rows if row["rank_among_duplicates"] == 1}
    shown = re.findall(
        r'src="data:image/jpeg;base64,[^"]+"><figcaption>fitter near-duplicate: ([^<]+) · (Ada|Grace)<', page
    )
    assert len(shown) == len(fallen) > 3
    assert {source for source, _ in shown} <= first and len({source for source, _ in shown}) > 1
    assert len(Page(page.encode()).links) == len(rows) + len(fallen)


def test_a_card_shows_the_main_face_of_the_picture_beside_the_others(heap: Path, tmp_path: Path) -> None:
    policy = Policy.parse({"name": "x", "rules": [{"measure": "rank_in_picture", "high": 1}]})
    build_dataset(sources_in(heap), tmp_path / "out", Hashed, compared_spec())
    open_dataset(tmp_path / "out").rejudge(policy, tmp_path / "main")
    cards = (tmp_path / "main" / "contact_sheet.html").read_text().split("<article")[1:]
    others = [card for card in cards if "not_the_main_face" in card]
    assert len(others) > 3
    for card in others:
        [source] = re.findall(r"<figcaption>main face of the picture: ([^<]+)</figcaption>", card)
        assert f'<div class="from">{source}</div>' in card


def test_refused_pictures_are_listed_with_their_reason(dataset: Layout) -> None:
    words = " ".join(Page(dataset.sheet.read_bytes()).text)
    assert "The same picture as Ada/001 again.png." in words and "notes.txt" in words and "not an image" in words


def test_the_page_needs_no_other_file_and_no_host(dataset: Layout) -> None:
    page = dataset.sheet.read_text()
    assert all(link.startswith("data:image/jpeg;base64,") for link in Page(page.encode()).links)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]*", "", page))


def test_names_cannot_become_markup(heap: Path, tmp_path: Path) -> None:
    nasty = '"><script>alert(1)</script><img src=x onerror=alert(1)>$books'
    sources = [replace(one, name=f"{nasty}{one.name}", label=nasty) for one in sources_in(heap)]
    build_dataset(sources, tmp_path / "out", Handmade, build_spec())
    page = Page((tmp_path / "out" / "contact_sheet.html").read_bytes())
    assert page.scripts == 1
    assert all(link.startswith("data:image/jpeg;base64,") for link in page.links)
    assert nasty in " ".join(page.text)


def test_the_page_of_a_large_dataset_shows_an_even_selection_and_says_so(dataset: Layout) -> None:
    faces = pq.read_table(dataset.faces)
    page = Page(contact_sheet(dataset, 3))
    assert [card["class"] for card in page.cards] == ["kept"] * 3 + ["rejected"] * 3
    assert f"6 of {len(faces)} faces are on this page" in " ".join(page.text)
    ids = faces.filter(faces["kept"])["face_id"].to_pylist()
    words = " ".join(page.text)
    assert ids[0] in words and ids[-1] in words


def test_a_dataset_without_faces_has_a_page(tmp_path: Path) -> None:
    build_dataset([], tmp_path / "out", Handmade, build_spec())
    assert Page((tmp_path / "out" / "contact_sheet.html").read_bytes()).cards == []


def test_the_page_shows_the_policy_and_its_limits(heap: Path, tmp_path: Path) -> None:
    strict = Policy.preset("strict")
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, replace(build_spec(), policy=strict))
    page = (tmp_path / "out" / "contact_sheet.html").read_text()
    assert "Judged by <b>strict</b>: " in page
    assert all(f"{rule.measure} {rule.limits()}" in page for rule in strict.rules)


def test_a_card_shows_the_measures_of_the_policy_and_highlights_failed_ones(heap: Path, tmp_path: Path) -> None:
    policy = Policy.parse(
        {"name": "own", "rules": [{"measure": "confidence", "low": 0.9}, {"measure": "yaw", "high": 50}]}
    )
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, replace(build_spec(), policy=policy))
    page = (tmp_path / "out" / "contact_sheet.html").read_text()
    cards = re.findall(r"<article.*?</article>", page)
    facts = [card.split("<details>")[0] for card in cards]
    assert len(facts) > 0 and all("<dt>confidence</dt>" in one and "<dt>yaw</dt>" in one for one in facts)
    for row in pq.read_table(tmp_path / "out" / "faces.parquet").to_pylist():
        card = next(one for one in cards if row["face_id"] in one)
        failed = " class=failed" if row["confidence"] < 0.9 else ""
        assert f"<dt>confidence</dt><dd{failed}>{row['confidence']:.4f}</dd>" in card


CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
MEASURE = """<script>
const tall = [...document.querySelectorAll(".facts dd")].filter(one => one.getClientRects().length
  && one.getBoundingClientRect().height > 1.6 * parseFloat(getComputedStyle(one).lineHeight));
const wide = [...document.querySelectorAll("article")].filter(one => one.scrollWidth > one.clientWidth);
const shown = document.querySelectorAll(".facts dd").length;
document.body.textContent = `numbers ${shown} broken ${tall.length} overflowing ${wide.length} ` + document.title;
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [800, 1280, 1400, 1920])
def test_no_number_is_wrapped_and_the_title_is_the_folder_name(heap: Path, tmp_path: Path, width: int) -> None:
    strict = Policy.preset("strict")
    build_dataset(sources_in(heap), tmp_path / "my faces", Handmade, replace(build_spec(), policy=strict))
    page = tmp_path / "my faces" / "contact_sheet.html"
    page.write_text(page.read_text().replace("</body>", MEASURE + "</body>"))
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1000", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert re.search(r"numbers [1-9]\d* broken 0 overflowing 0 my faces – contact sheet", done.stdout)
