"""Reads the XML with which stores answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from facesieve.errors import Refused
from facesieve.records import RefusalCode

_CODE = re.compile(rb"<Code>([A-Za-z0-9_.-]{1,80})</Code>")


def error_code(body: bytes) -> str:
    """The store's own code in the body of a refusal, such as `NoSuchBucket`; or ""."""
    found = _CODE.search(body)
    return found[1].decode() if found else ""


def root_of(body: bytes, name: str) -> ElementTree.Element:
    """The root of an XML document, if it has this name. Raises Refused `fetch_failed` for anything else."""
    try:
        text = body.decode("utf-8-sig")
        if "<!" in text:  # a document type could define entities that expand without limit; no store sends one
            raise ValueError
        root = ElementTree.fromstring(text.encode())
    except (ValueError, ElementTree.ParseError):
        root = None
    if root is None or _local(root.tag) != name:
        raise Refused(RefusalCode.FETCH_FAILED, "The answer of the host is not a list of objects.")
    return root


def each(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """The children of this name, in any namespace."""
    return (child for child in element if _local(child.tag) == name)


def text_of(element: ElementTree.Element, *path: str) -> str:
    """The text of the child at the end of a path of names; "" if there is none."""
    here: ElementTree.Element | None = element
    for name in path:
        here = next(each(here, name), None) if here is not None else None
    return (here.text or "") if here is not None else ""


def number_of(text: str) -> int:
    """A size; 0 if the text is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def tag_of(text: str) -> str:
    """An ETag without quotes and other marks."""
    return re.sub(r"[^A-Za-z0-9_-]", "", text.removeprefix("W/"))


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
