"""The contact sheet: what it shows, what it leaves out, and how it looks at six widths of a real browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import chromium
import pyarrow.parquet as pq
import pytest

from facesieve.dataset.disk.layout import Layout
from facesieve.report.sheet import contact_sheet
from facesieve.run.build import build_dataset
from facesieve.run.open_dataset import open_dataset
from facesieve.sieve import Policy
from handmade import Handmade, Hashed, build_spec, compared_spec, photos, sources_in
from many_faces import ManyFaces, dataset_in, pictures_in, spec_of
from page_facts import facts_of

needs_browser = pytest.mark.skipif(chromium.WHERE is None, reason="needs Chromium")


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    return photos(tmp_path / "heap", astronaut)


@pytest.fixture
def dataset(heap: Path, tmp_path: Path) -> Layout:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    return Layout(tmp_path / "out")


def test_every_face_is_shown_with_its_picture_verdict_and_reasons(dataset: Layout) -> None:
    facts, faces = facts_of(dataset.sheet), pq.read_table(dataset.faces).to_pylist()
    names = [measure["name"] for measure in facts["measures"]]
    shown = {(face["face_id"], face["label"]): face for face in facts["faces"]}
    assert len(shown) == len(facts["faces"]) == len(faces)
    for row in faces:
        face = shown[row["face_id"], row["label"]]
        assert (face["kept"], face["reasons"], face["source"]) == (row["kept"], row["reasons"], row["source"])
        for name, value in zip(names, face["values"], strict=True):
            assert value == (None if row[name] is None else pytest.approx(row[name], rel=1e-6))
    thumbs = facts["thumbs"]
    assert set(thumbs) == {row["face_id"] for row in faces}, "also of rejected faces, whose crops were not written"
    assert all(base64.b64decode(jpeg).startswith(b"\xff\xd8") for jpeg in thumbs.values())


def test_the_fitter_near_duplicate_is_shown_beside_a_face(heap: Path, tmp_path: Path) -> None:
    build_dataset(sources_in(heap), tmp_path / "out", Hashed, compared_spec())
    rows = pq.read_table(tmp_path / "out" / "faces.parquet").to_pylist()
    facts = facts_of(tmp_path / "out" / "contact_sheet.html")
    pairs = [face for face in facts["faces"] if "other" in face]
    assert len(pairs) == sum(row["reasons"] == ["near_duplicate"] for row in rows) > 3
    first = {row["face_id"] for row in rows if row["rank_among_duplicates"] == 1}
    assert {face["other"]["face_id"] for face in pairs} <= first & set(facts["thumbs"])
    assert {face["other"]["words"] for face in pairs} == {"fitter near-duplicate"}


def test_the_main_face_of_the_picture_is_shown_beside_the_others(heap: Path, tmp_path: Path) -> None:
    policy = Policy.parse({"name": "x", "rules": [{"measure": "rank_in_picture", "high": 1}]})
    build_dataset(sources_in(heap), tmp_path / "out", Hashed, compared_spec())
    open_dataset(tmp_path / "out").rejudge(policy, tmp_path / "main")
    faces = facts_of(tmp_path / "main" / "contact_sheet.html")["faces"]
    others = [face for face in faces if face["reasons"] == ["not_the_main_face"]]
    assert len(others) > 3
    assert all(face["other"]["source"] == face["source"] for face in others)


def test_refused_pictures_and_those_without_a_face_are_listed(dataset: Layout) -> None:
    facts, pictures = facts_of(dataset.sheet), pq.read_table(dataset.pictures).to_pylist()
    assert facts["refused"] == [
        [row["source"], row["refusal"], row["message"]] for row in pictures if row["refusal"] is not None
    ]
    assert "The same picture as Ada/001 again.png." in [message for _, _, message in facts["refused"]]
    without = [row["source"] for row in pictures if row["refusal"] is None and row["faces"] == 0]
    assert facts["without_face"] == [len(without), without] and without


def test_the_failed_rules_of_a_face_have_their_limits(heap: Path, tmp_path: Path) -> None:
    policy = Policy.parse(
        {"name": "own", "rules": [{"measure": "confidence", "low": 0.9}, {"measure": "yaw", "high": 50}]}
    )
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, replace(build_spec(), policy=policy))
    rows = {row["face_id"]: row for row in pq.read_table(tmp_path / "out" / "faces.parquet").to_pylist()}
    for face in facts_of(tmp_path / "out" / "contact_sheet.html")["faces"]:
        row, expected = rows[face["face_id"]], list[Any]()
        if row["confidence"] < 0.9:
            expected.append(["confidence", row["confidence"], 0.9, None, "low_confidence"])
        if row["yaw"] is None or row["yaw"] > 50:
            expected.append(["yaw", row["yaw"], None, 50.0, "turned" if row["yaw"] else "pose_not_measured"])
        assert face["failed"] == expected


def test_the_page_of_a_large_dataset_shows_an_even_selection(dataset: Layout) -> None:
    rows = pq.read_table(dataset.faces)
    facts = facts_of(contact_sheet(dataset, 2))
    assert [face["kept"] for face in facts["faces"]] == [True] * 2 + [False] * 2
    ids = rows.filter(rows["kept"])["face_id"].to_pylist()
    assert [face["face_id"] for face in facts["faces"]][:2] == [ids[0], ids[-1]]
    assert len(facts["refused"]) == 2 < facts["counts"]["refused"]


def test_datasets_with_equal_rows_have_the_same_id(heap: Path, dataset: Layout, tmp_path: Path) -> None:
    build_dataset(sources_in(heap), tmp_path / "again", Handmade, build_spec())
    build_dataset(sources_in(heap)[:3], tmp_path / "less", Handmade, build_spec())
    roots = dataset.root, tmp_path / "again", tmp_path / "less"
    ids = [facts_of(root / "contact_sheet.html")["id"] for root in roots]
    assert re.fullmatch("[0-9a-f]{12}", ids[0]) and ids[0] == ids[1] != ids[2]


def test_a_dataset_without_faces_has_a_page(tmp_path: Path) -> None:
    build_dataset([], tmp_path / "out", Handmade, build_spec())
    assert facts_of(tmp_path / "out" / "contact_sheet.html")["faces"] == []


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Tab]:
    if chromium.WHERE is None:
        pytest.skip("needs Chromium")
    tab = chromium.Tab(tmp_path_factory.mktemp("browser"))
    yield tab
    tab.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sheet of a dataset whose policy limits measures with long names."""
    root = tmp_path_factory.mktemp("many")
    policy = Policy.preset("strict")
    made = dataset_in(root, policy)
    return made.rename(root / "my faces") / "contact_sheet.html"


def opened(tab: chromium.Tab, page: Path) -> None:
    tab.messages.clear()
    tab.open(page.as_uri())


VALUES = "[...document.querySelectorAll('.value, .number, .pill')].filter(one => one.getClientRects().length)"
BROKEN = f"{VALUES}.filter(one => one.offsetHeight > 2.4 * parseFloat(getComputedStyle(one).fontSize))"
OUTSIDE = """[...document.querySelectorAll('.cell, .fact, .value, .pill, header *, form *, h2')].filter(one => {
  const place = one.getBoundingClientRect(), around = one.parentElement.getBoundingClientRect();
  return place.width && (place.right > innerWidth + 1 || place.right > around.right + 1);
}).map(one => one.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("width", [390, 800, 1024, 1280, 1400, 1920])
def test_no_value_wraps_and_nothing_overflows(tab: chromium.Tab, many: Path, width: int) -> None:
    tab.ask("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=width < 500)
    opened(tab, many)
    for sort in ("", "under_exposure_prevention_native"):
        tab.run(f"fields.sort.value = '{sort}'; show()")
        assert tab.run(f"{VALUES}.length") > 300
        assert tab.run(f"{BROKEN}.length") == 0
        assert tab.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        assert tab.run(OUTSIDE) == []
    columns = tab.run("getComputedStyle(document.querySelector('.grid')).gridTemplateColumns.split(' ').length")
    assert columns >= width // 140, "the grid is dense"
    tab.run("open(facts.faces.find(face => face.failed.length > 2))")
    assert tab.run("document.getElementById('details').open") is True
    assert tab.run(f"{BROKEN}.length") == 0
    assert tab.run("details.scrollWidth - details.clientWidth") == 0
    tab.ask("Emulation.clearDeviceMetricsOverride")
    assert tab.complaints() == []


def test_axe_finds_no_violation(tab: chromium.Tab, many: Path) -> None:
    opened(tab, many)
    assert tab.violations() == []
    tab.run("open(facts.faces.find(face => face.failed.length > 2))")
    assert tab.violations() == []


def test_faces_that_a_person_decided_about_say_so(tab: chromium.Tab, many: Path) -> None:
    opened(tab, many)
    tab.run(
        "speech.choose('en'); const [one, two] = facts.faces.filter(face => !face.kept && face.failed.length);"
        "one.kept = true; two.reasons.unshift('by_hand'); menus(); fields.verdict.value = 'by_hand'; show()"
    )
    texts = tab.run("[...document.querySelectorAll('.tile')].map(one => one.textContent)")
    assert len(texts) == 2 and "kept by hand" in texts[0] and "kept by hand" not in texts[1]
    tab.run("open(facts.faces.find(byHand))")
    assert tab.run("document.querySelector('#details .verdict').textContent") == "kept by hand"


def test_a_failed_number_stands_beside_its_limit_and_degrees_have_one_decimal(tab: chromium.Tab, many: Path) -> None:
    opened(tab, many)
    tab.run("speech.choose('en'); fields.reason.value = 'pitched'; show()")
    texts = tab.run("[...document.querySelectorAll('.tile .failed')].map(one => one.textContent)")
    assert len(texts) > 3 and all(re.fullmatch(r"pitch-?\d+\.\d [<>] -?15", text) for text in texts)
    colours = tab.run(
        "[...document.querySelectorAll('.tile .failed .value')].map(one => getComputedStyle(one).color)"
        ".concat(getComputedStyle(document.querySelector('.books .rejected-text')).color)"
    )
    assert len(set(colours)) == 1


def test_faces_are_filtered_and_sorted_by_any_measure(tab: chromium.Tab, many: Path) -> None:
    opened(tab, many)
    facts = facts_of(many)
    tab.run("speech.choose('en'); fields.label.value = 'person 2'; fields.sort.value = 'blur'; show()")
    at = [measure["name"] for measure in facts["measures"]].index("blur")
    values = sorted(face["values"][at] for face in facts["faces"] if face["label"] == "person 2")
    shown = tab.run("[...document.querySelectorAll('.tile')].map(one => one.lastChild.lastChild.textContent)")
    assert shown == [f"{value:.0f}" for value in values]
    tab.run("document.getElementById('turn').click()")
    turned = tab.run("[...document.querySelectorAll('.tile')].map(one => one.lastChild.lastChild.textContent)")
    assert turned == shown[::-1]
    assert tab.run("document.getElementById('shown').textContent") == f"{len(values)} of {len(facts['faces'])} shown"


def test_the_page_names_its_folder_policy_and_id_and_copies_them(tab: chromium.Tab, many: Path) -> None:
    opened(tab, many)
    tab.run("speech.choose('en')")
    assert tab.run("document.title") == "my faces – contact sheet"
    text = tab.run("document.querySelector('header').innerText")
    assert all(part in text for part in ("my faces", facts_of(many)["id"], "strict", "upsampling at most 1.25"))
    tab.run("window.copied = []; document.execCommand = () => copied.push(document.activeElement.value)")
    tab.run("navigator.clipboard && (navigator.clipboard.writeText = async text => copied.push(text))")
    tab.run("document.querySelectorAll('#pills button')[1].click()")
    tab.until("copied.length")
    assert tab.run("copied[0]") == facts_of(many)["id"]


def test_a_long_common_path_is_shown_once(tab: chromium.Tab, tmp_path: Path) -> None:
    policy, long = Policy.preset(), "/a/very/long/folder" * 8
    sources = [replace(one, name=f"{long}/{one.name}") for one in sources_in(pictures_in(tmp_path / "p", 6))]
    build_dataset(sources, tmp_path / "out", lambda: ManyFaces(policy), spec_of(policy))
    opened(tab, tmp_path / "out" / "contact_sheet.html")
    assert tab.run("document.body.innerText").count(long) == 1
    assert tab.run("document.querySelector('#refused td').textContent") == "person 0/notes.txt"


def test_no_name_can_become_markup_or_disguise_itself(tab: chromium.Tab, tmp_path: Path) -> None:
    nasty = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{FACTS}}</script><!--\u202egnp.exe'
    policy = Policy.preset()
    sources = [
        replace(one, name=f"{nasty}/{number}{'x' * 10_000}", label=nasty)
        for number, one in enumerate(sources_in(pictures_in(tmp_path / "p", 6)))
    ]
    build_dataset(sources, tmp_path / "out", lambda: ManyFaces(policy), spec_of(policy))
    page = tmp_path / "out" / "contact_sheet.html"
    opened(tab, page)
    tab.run("open(facts.faces[0])")
    assert tab.run("document.querySelectorAll('img[onerror]').length") == 0
    assert tab.run("document.querySelectorAll('script').length") == len(re.findall("<script", page.read_text()))
    assert "\u202e" not in tab.run("document.body.innerText") and "\\u202egnp.exe" in tab.run("document.body.innerText")
    assert tab.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    asked = [url for url in tab.requested() if not url.startswith("data:image/jpeg;base64,")]
    assert asked == [page.as_uri()] and tab.complaints() == []
