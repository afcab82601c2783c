"""The page in a real browser: pictures in, faces, sliders, verdicts, downloads; by keyboard, on a phone, dark."""

from __future__ import annotations

import base64
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest
import requests

pytestmark = pytest.mark.skipif(chromium.WHERE is None, reason="needs Chromium (Debian: apt-get install chromium)")

VERDICTS = "[...document.querySelectorAll('tbody tr')].map(row => row.className)"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Tab]:
    tab = chromium.Tab(tmp_path_factory.mktemp("chromium"))
    yield tab
    tab.close()


@pytest.fixture
def page(tab: chromium.Tab, service: Any) -> chromium.Tab:
    """The page with the right token entered."""
    tab.messages.clear()
    tab.open("about:blank#")
    tab.open(f"{service.url}/#token=a-token-for-tests")
    return tab


def put(page: chromium.Tab, *files: Path) -> None:
    """Choose files and wait until all are answered."""
    page.choose_files("#files", *files)
    page.until(f"document.querySelectorAll('.picture').length === {len(files)}")


def slide(page: chromium.Tab, limit: str, value: float) -> None:
    page.run(f"""(() => {{ const slider = document.getElementById('{limit}');
        slider.value = {value}; slider.dispatchEvent(new Event('input')); }})()""")


SAVED = ("kept.zip", "faces.json")


def saved(page: chromium.Tab, button: str, folder: Path) -> Path:
    """The file that a button downloads. Its name is taken by an empty file until the download is complete."""
    page.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    page.run(f"document.getElementById('{button}').click()")
    until = time.monotonic() + 10
    while not (files := [file for file in folder.iterdir() if file.name in SAVED and file.stat().st_size]):
        assert time.monotonic() < until, "nothing was downloaded"
        time.sleep(0.05)
    return files[0]


def test_pictures_become_faces_and_a_slider_changes_verdicts_at_once(
    page: chromium.Tab, service: Any, astronaut: Path, hopper: Path
) -> None:
    put(page, astronaut, hopper)
    assert page.run(VERDICTS) == ["kept", "kept"]
    assert page.run("document.getElementById('count').textContent") == "2 of 2 faces kept, pictures: 2"
    assert page.run("[progress.max, progress.value, progress.hidden]") == [2, 2, True]
    sent = len([url for url in page.requested() if "/v1/" in url])
    slide(page, "max_yaw", 0)
    assert page.run(VERDICTS) == ["rejected", "rejected"]
    assert page.run("[...document.querySelectorAll('.reasons')].map(cell => cell.textContent)") == ["turned", "turned"]
    slide(page, "max_yaw", 45)
    assert page.run(VERDICTS) == ["kept", "kept"]
    assert len([url for url in page.requested() if "/v1/" in url]) == sent == 2


def test_pictures_are_shown_in_the_order_in_which_they_were_chosen(
    page: chromium.Tab, astronaut: Path, tmp_path: Path
) -> None:
    """The second one is refused at once, long before the first is answered."""
    text = tmp_path / "a-text.jpg"
    text.write_text("no picture")
    put(page, astronaut, text)
    shown = page.run("[...document.querySelectorAll('.picture h2')].map(title => title.firstChild.textContent)")
    assert shown == ["astronaut.png", "a-text.jpg"]


def test_the_seed_photo_shows_its_faces_and_the_published_verdicts(page: chromium.Tab, shared: Path) -> None:
    put(page, shared / "seed/famous-selfie.jpg")
    verdicts = page.run(VERDICTS)
    assert (len(verdicts), verdicts.count("kept")) == (38, 4)
    slide(page, "min_blur", 0)
    assert page.run(VERDICTS).count("kept") > 4


def test_the_page_judges_as_the_service_does(page: chromium.Tab, service: Any, shared: Path) -> None:
    """Through slider positions, policies and limits on measures that no policy has."""
    photo = shared / "seed/famous-selfie.jpg"
    put(page, photo)
    moves = [{"min_blur": 60}, {"max_yaw": 10}, {"max_pitch": 5}, {"min_confidence": 0.9}, {"min_confidence": 1}]
    moves += [{"max_rank_in_picture": 1}, {"max_faces_in_picture": 3, "min_blur": 20}]
    moves += [{"min_blur": 30, "max_roll": 3}, {"min_sharpness": 40, "min_blur": 0}, {"max_upsampling": 2.0}]
    for policy in ("reference", "strict", "lenient"):
        for limits in moves:
            page.run(f"choose('{policy}')")
            for name, value in limits.items():
                bound, _, measure = name.partition("_")
                page.run(f"limit('{measure}', '{'low' if bound == 'min' else 'high'}', {value})")
            shown = page.run("pictures[0].answer.faces.map(({kept, reasons}) => ({kept, reasons}))")
            measures = page.run("pictures[0].answer.faces.map(face => face.measures)")
            asked = {"measures": measures, "policy": policy, "limits": limits}
            assert service.post("/v1/sieve", json=asked).json()["verdicts"] == shown


ENTER = """(() => {{ const token = document.getElementById('token');
    token.value = '{}'; token.dispatchEvent(new Event('change')); }})()"""


def test_a_wrong_token_keeps_the_pictures_until_the_right_one_is_entered(
    page: chromium.Tab, astronaut: Path, hopper: Path
) -> None:
    page.run(ENTER.format("wrong"))
    page.choose_files("#files", astronaut, hopper)
    said = page.until("document.getElementById('problem').textContent")
    assert said == "This token is not accepted. The chosen pictures are kept (2). Enter the token to send them."
    assert page.run("[document.activeElement.id, document.querySelectorAll('.picture').length]") == ["token", 0]
    page.run(ENTER.format("a-token-for-tests"))
    page.until("document.querySelectorAll('.picture').length === 2")
    assert page.run("document.getElementById('problem').textContent") == ""
    assert page.run("[...document.querySelectorAll('.picture h2')].map(title => title.firstChild.textContent)") == [
        astronaut.name,
        hopper.name,
    ]


def test_without_a_token_nothing_is_sent_and_the_pictures_wait_for_it(page: chromium.Tab, astronaut: Path) -> None:
    page.run(ENTER.format(""))
    page.choose_files("#files", astronaut)
    assert page.until("document.getElementById('problem').textContent").startswith("The service needs a token.")
    assert not [url for url in page.requested() if "/v1/" in url]
    page.run(ENTER.format("a-token-for-tests"))
    page.until("document.querySelectorAll('.picture').length === 1")


def test_a_token_in_the_address_is_taken_remembered_by_the_tab_and_removed_from_the_address(
    page: chromium.Tab, service: Any
) -> None:
    assert page.run("[location.href, document.getElementById('token').value]") == [
        f"{service.url}/",
        "a-token-for-tests",
    ]
    page.ask("Page.reload")
    page.until("document.readyState === 'complete' && document.getElementById('token').value === 'a-token-for-tests'")
    assert not [url for url in page.requested() if "token=" in url.split("#")[0]]


def test_limits_reject_the_worse_values_of_each_measure(page: chromium.Tab) -> None:
    page.run("document.getElementById('raw').click()")
    shown = set(page.run("[...document.querySelectorAll('#more input[type=range]')].map(input => input.id)"))
    assert {"max_blockiness", "max_upsampling", "max_sharpness_native", "min_fitness", "min_dynamic_range"} <= shown
    assert {"min_luminance_mean_native", "max_luminance_mean_native"} <= shown  # both ends are bad
    assert not {"min_blockiness", "max_fitness", "min_outside"} & shown


def test_raw_values_are_hidden_until_they_are_asked_for(page: chromium.Tab) -> None:
    raw = "document.querySelectorAll('#more [id$=_native]').length"
    assert page.run(raw) == 0
    page.run("document.getElementById('raw').click()")
    assert page.run(raw) > 0


def test_reset_returns_to_the_limits_of_the_policy(page: chromium.Tab, astronaut: Path) -> None:
    put(page, astronaut)
    slide(page, "max_yaw", 0)
    assert page.run(VERDICTS) == ["rejected"]
    page.run("document.getElementById('reset').click()")
    assert page.run(VERDICTS) == ["kept"]
    assert page.run("document.getElementById('max_yaw').value") == "45"


def test_a_picture_is_a_thumbnail_that_opens(page: chromium.Tab, astronaut: Path) -> None:
    put(page, astronaut)
    assert page.run("document.querySelector('.open canvas').getBoundingClientRect().height") <= 220
    page.run("document.querySelector('.open').focus()")
    page.press("Enter", "\r")
    assert page.run("document.getElementById('large').open")
    assert page.run("document.querySelector('#large canvas').width") == 512
    page.run("document.querySelector('#large button').click()")
    assert not page.run("document.getElementById('large').open")


def test_the_page_speaks_chinese_when_it_is_chosen(page: chromium.Tab, astronaut: Path) -> None:
    put(page, astronaut)
    slide(page, "max_yaw", 0)
    page.run("""(() => { const menu = document.getElementById('language');
        menu.value = 'zh'; menu.dispatchEvent(new Event('change')); })()""")
    assert page.run("document.documentElement.lang") == "zh"
    assert page.run("document.querySelector('#limits-card h2').textContent") == "限值"
    words = page.run("document.body.innerText")
    assert "turned" not in words and "rejected" not in words
    assert page.run(VERDICTS) == ["rejected"]


def test_a_bad_file_shows_its_reason_beside_the_good_ones(page: chromium.Tab, astronaut: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    put(page, bad, astronaut)
    refused = page.run("document.querySelector('.refused').textContent")
    assert refused == "This file is not a picture."
    assert page.run("document.getElementById('count').textContent") == "1 of 1 faces kept, pictures: 1, refused: 1"


def test_the_zip_holds_the_kept_crops_as_the_service_gave_them(
    page: chromium.Tab, service: Any, astronaut: Path, hopper: Path, tmp_path: Path
) -> None:
    put(page, astronaut, hopper)
    file = saved(page, "zip", tmp_path)
    assert file.name == "kept.zip"
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        found = {member: archive.read(member) for member in archive.namelist()}
    faces = [service.faces(photo.read_bytes(), "?crops=aligned").json()["faces"][0] for photo in (astronaut, hopper)]
    assert found == {f"kept/{face['face_id']}.png": base64.b64decode(face["crops"]["aligned"]) for face in faces}


def test_the_json_holds_the_verdicts_as_they_are_shown(page: chromium.Tab, astronaut: Path, tmp_path: Path) -> None:
    put(page, astronaut)
    slide(page, "max_yaw", 0)
    file = saved(page, "json", tmp_path)
    told = json.loads(file.read_text(encoding="utf-8"))
    assert file.name == "faces.json"
    assert [face["reasons"] for face in told["pictures"][0]["faces"]] == [["turned"]]
    assert next(rule for rule in told["rules"] if rule["measure"] == "yaw")["high"] == 0


def test_dropped_pictures_are_taken(page: chromium.Tab, astronaut: Path) -> None:
    data = base64.b64encode(astronaut.read_bytes()).decode()
    page.run(f"""(() => {{
        const bytes = Uint8Array.from(atob('{data}'), letter => letter.charCodeAt(0));
        const dropped = new DataTransfer();
        dropped.items.add(new File([bytes], 'dropped.png', {{ type: 'image/png' }}));
        const how = {{ dataTransfer: dropped, bubbles: true, cancelable: true }};
        document.body.dispatchEvent(new DragEvent('drop', how));
    }})()""")
    page.until("document.querySelectorAll('.picture').length === 1")
    assert page.run(VERDICTS) == ["kept"]


def test_everything_can_be_reached_and_a_slider_moved_with_the_keyboard(page: chromium.Tab, astronaut: Path) -> None:
    put(page, astronaut)
    page.run("document.getElementById('token').focus()")
    reached = []
    for _ in range(40):
        reached.append(page.run("document.activeElement.id"))
        if reached[-1] == "max_yaw":
            break
        page.press("Tab")
    assert {"token", "files", "policy", "min_blur", "max_yaw"} <= set(reached)
    before = page.run("Number(document.getElementById('max_yaw').value)")
    page.press("ArrowLeft")
    assert page.run("rules.find(rule => rule.measure === 'yaw').high") == before - 1


def test_nothing_comes_from_another_host_and_the_policy_forbids_nothing_of_ours(
    page: chromium.Tab, service: Any, astronaut: Path
) -> None:
    put(page, astronaut)
    page.open(f"{service.url}/docs")
    page.until("document.querySelectorAll('#routes > details').length === 10")
    hosts = {url.split("/")[2] for url in page.requested() if url.startswith("http")}
    assert hosts == {service.url.split("/")[2]}
    assert page.complaints() == []
    policy = requests.get(f"{service.url}/", timeout=10).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (1280, "dark")])
def test_it_fits_a_phone_and_follows_the_colour_scheme(
    page: chromium.Tab, astronaut: Path, width: int, scheme: str
) -> None:
    page.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
    page.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    put(page, astronaut)
    top = "document.getElementById('{}').getBoundingClientRect().top"
    if width < 820:
        page.until(f"{top.format('results')} < 60")  # it scrolls to the results
        assert page.run(f"{top.format('results')} < {top.format('limits-card')}")
    assert page.run("document.documentElement.scrollWidth") <= width
    ground = page.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
    page.ask("Emulation.clearDeviceMetricsOverride")
    page.ask("Emulation.setEmulatedMedia", features=[])
