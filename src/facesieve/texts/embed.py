"""The texts as parts of a page: JSON, and the script `speech.js` that reads it."""

from __future__ import annotations

import json
from collections.abc import Collection
from importlib.resources import files
from typing import Any

from facesieve.errors import UsageError
from facesieve.texts.table import languages, tables


def embedded(sections: Collection[str], language: str | None = None) -> str:
    """Two script elements that define `speech` in a page; see `speech.js`.

    sections: those that the page uses. language: the code of the language that the page begins with; None takes the
    first one of the browser's languages that there is. Raises UsageError `unknown_language`.
    """
    known = languages()
    if language is not None and language not in known:
        raise UsageError("unknown_language", f"There is no language {language!r}; write one of {', '.join(known)}.")
    texts = {one.code: {name: dict(one.texts[name]) for name in ("language", *sections)} for one in tables()}
    values = script_safe({"chosen": language, "texts": texts})
    return f'<script type="application/json" id="texts">{values}</script>\n<script>{speech()}</script>'


def speech() -> str:
    """The script that defines `speech`."""
    return files("facesieve.texts").joinpath("speech.js").read_text(encoding="utf-8")


def script_safe(value: Any) -> str:
    """A value as JSON that can stand in a script element: no text in it can end the element or open a comment."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(_UNSAFE)


_UNSAFE = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
