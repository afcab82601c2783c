"""The site: every public name is in its API reference, every page in its menu, and no page loads from another host."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import facesieve

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]


def module(name: str) -> ModuleType:
    """A module of the folder docs, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def outside_sources() -> Callable[[Path], list[str]]:
    found: Callable[[Path], list[str]] = module("site").outside_sources
    return found


def test_the_api_reference_has_every_public_name_once_and_no_other() -> None:
    named = re.findall(r"^::: facesieve\.(\w+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(set(facesieve.__all__) - {"__version__"})


def test_every_page_is_in_the_menu() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"[\w-]+\.md$", str(yaml.safe_load(text)["nav"]).replace("'", "\n"), re.MULTILINE))
    assert listed == {page.name for page in DOCS.glob("*.md")} | set(module("site").PAGES.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/a.js"></script>',
        '<script src="//cdn.example/a.js"></script>',
        '<link rel="stylesheet" href="HTTPS://fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="http://img.example/a.png">',
        '<img src="a.png" srcset="b.png 1x, https://img.example/a.png 2x">',
        '<p style="background: url(https://img.example/a.png)">',
        "<style>@import 'https://fonts.example/css'</style>",
        '<style>@font-face { src: url("//fonts.example/a.woff2") }</style>',
    ],
)
def test_what_a_page_loads_from_another_host_is_found(
    outside_sources: Callable[[Path], list[str]], tmp_path: Path, html: str
) -> None:
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    [found] = outside_sources(tmp_path)
    assert found.startswith("page.html: ") and ".example" in found


def test_links_for_people_and_files_of_the_site_are_not_found(
    outside_sources: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    html = '<a href="https://other.example">there</a><script src="a.js"></script><img src="data:image/png;base64,">'
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    (tmp_path / "a.css").write_text("a { background: url(b.svg) }", encoding="utf-8")
    assert outside_sources(tmp_path) == []
    (tmp_path / "b.css").write_text("a { background: url(https://img.example/b.svg) }", encoding="utf-8")
    assert outside_sources(tmp_path) == ["b.css: https://img.example/b.svg"]


def test_links_between_files_become_links_between_pages() -> None:
    linked = module("site").linked
    assert linked("[a](docs/pictures.md#limits) [b](CHANGELOG.md)", ROOT) == "[a](pictures.md#limits) [b](changelog.md)"
    assert linked("[a](../CHANGELOG.md) [b](policies.md)", DOCS) == "[a](changelog.md) [b](policies.md)"
    assert (
        linked("[deploy](deploy) has ![a page](docs/images/page.png)", ROOT) == "deploy has ![a page](images/page.png)"
    )
    assert linked("[gone](docs/gone.md) [out](https://other.example)", ROOT) == (
        "[gone](docs/gone.md) [out](https://other.example)"
    )


@pytest.mark.skipif(importlib.util.find_spec("mkdocstrings") is None, reason="needs the extra docs")
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Find, measure, align and judge" in (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
