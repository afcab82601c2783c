"""What the site needs beside the pages of this folder: the pages of the repository's root, and a check of the result.

The home page is README.md itself, so there is nothing to keep equal.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "index.md",
    "README.zh-CN.md": "zh-CN.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://|#)([^)\s]+)\)")
_LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
_LOADING = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
_OUTSIDE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_IN_STYLE = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the root."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links between files of the repository become links between pages."""
    root_page = page.file.src_uri in PAGES.values()
    return linked(markdown, ROOT if root_page else ROOT / "docs")


def on_post_build(config: Any) -> None:
    """Fail where a page or a style sheet would load something from another host."""
    from mkdocs.exceptions import PluginError

    found = outside_sources(Path(config.site_dir))
    if found:
        raise PluginError("These pages load from another host:\n" + "\n".join(found))


def linked(markdown: str, folder: Path) -> str:
    """The text with its links as the site needs them.

    folder: where the text's file lies. A link to a file that is not in the site becomes its text; a missing file is
    left as it is, so that the strict build names it.
    """

    def target(match: re.Match[str]) -> str:
        text, path, anchor = match[1], *_cut(match[2])
        file = (folder / path).resolve()
        if not file.exists() or not file.is_relative_to(ROOT):
            return match[0]
        name = file.relative_to(ROOT).as_posix()
        page = PAGES.get(name) or (name.removeprefix("docs/") if name.startswith("docs/") else None)
        return f"[{text}]({page}{anchor})" if page else text

    return _LINK.sub(target, markdown).replace("](docs/images/", "](images/")


def outside_sources(site: Path) -> list[str]:
    """`file: address` of all scripts, styles, pictures and fonts that the built pages load from another host."""
    pages = [(page, _sources(page.read_text(encoding="utf-8"))) for page in sorted(site.rglob("*.html"))]
    sheets = [(sheet, _IN_STYLE.findall(sheet.read_text(encoding="utf-8"))) for sheet in sorted(site.rglob("*.css"))]
    return [f"{file.relative_to(site)}: {address}" for file, found in pages + sheets for address in found]


def _cut(link: str) -> tuple[str, str]:
    path, mark, anchor = link.partition("#")
    return path, mark + anchor


def _sources(html: str) -> list[str]:
    reader = _Reader()
    reader.feed(html)
    return reader.found


class _Reader(HTMLParser):
    """Collects what a browser would fetch from another host; links that people follow do not count."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        loaded = [given.get(_LOADED.get(tag, ""), "")]
        if tag == "link" and _LOADING & set(given.get("rel", "").lower().split()):
            loaded.append(given.get("href", ""))
        loaded += [part.strip().split()[0] for part in given.get("srcset", "").split(",") if part.strip()]
        self.found += [address for address in loaded if _OUTSIDE.match(address)]
        self.found += _IN_STYLE.findall(given.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.found += _IN_STYLE.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False
