"""Puts a page together: one HTML file with its style, scripts, texts and facts. It loads nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from typing import Any

from facesieve.texts import embedded, script_safe

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def assemble(
    name: str,
    title: str,
    scripts: Sequence[str],
    facts: Mapping[str, Any],
    sections: Collection[str],
    language: str | None = None,
) -> bytes:
    """The page `name` as UTF-8. Its Content-Security-Policy allows its own scripts and nothing else.

    title: what a browser shows until the scripts have run.
    scripts: files that are run after `common.js`, in order. facts: JSON values for them. sections: the sections of
    `texts` that the page uses. language: the one that it begins with; None takes the browser's.
    """
    sources = [read(f"page/{one}" if "/" not in one else one) for one in ("common.js", *scripts)]
    elements = "\n".join(f"<script>{one}</script>" for one in sources)
    texts = embedded(sections, language)
    hashes = (hashlib.sha256(one.encode()).digest() for one in _SCRIPT.findall(f"{texts}\n{elements}"))
    parts = {
        "ALLOWED": " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in hashes),
        "TITLE": title,
        "STYLE": read("page/common.css") + read(f"page/{name}/{name}.css"),
        "BODY": read(f"page/{name}/{name}.html").rstrip("\n"),
        "TEXTS": texts,
        "FACTS": script_safe(facts),
        "SCRIPTS": elements,
    }
    return _PLACE.sub(lambda found: parts[found[1]], read("page/page.html")).encode()


def read(name: str) -> str:
    """A file of the package `report`."""
    return files("facesieve.report").joinpath(name).read_text(encoding="utf-8")
