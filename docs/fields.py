"""Docstrings here say `name: what it is` in lines of running text; the site shows them as a list."""

from __future__ import annotations

import re
from typing import Any

import griffe

_NAMES = r"[a-z_]+(?:,\s[a-z_]+)*: \S"
_NEXT = re.compile(rf"(?:(?<!,)\n|(?<=[.;\"]) )(?={_NAMES})")
_AFTER = re.compile(r"\n(?=Raises |It )")


class Fields(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = listed(obj.docstring.value)


def listed(docstring: str) -> str:
    """The docstring with a Markdown list for each paragraph that begins with a name; the rest stays as it is."""
    return "\n\n".join(_paragraph(paragraph) for paragraph in docstring.split("\n\n"))


def _paragraph(text: str) -> str:
    """The sentences of a paragraph before its first name, a list, and the sentences about errors after it."""
    before, mark, rest = text, "", ""
    if start := re.search(rf"^{_NAMES}", text, re.MULTILINE):
        before, mark, rest = text[: start.start()], "\n", text[start.start() :]
    fields, *after = _AFTER.split(rest, maxsplit=1)
    items = (_item(field) for field in _NEXT.split(fields)) if mark else ()
    return "\n".join([before + mark if before else "", *items, *("\n" + text for text in after)])


def _item(text: str) -> str:
    names, _, meaning = text.partition(": ")
    return f"- `{' '.join(names.split())}`: {meaning}".replace("\n", "\n  ")
