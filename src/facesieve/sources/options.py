"""The options of sources: labels, links, hidden files, encodings and columns."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field

from facesieve.errors import UsageError
from facesieve.sources.labels import LabelFrom


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the caller may choose about sources.

    label_from: `folder` or `parent` labels a picture with the folder that it lies in, `top-folder` or `folder:1` with
    the first folder below the named one, `folder:2` with the second; `name:PATTERN` with the group `label` of a regular
    expression that is searched in the name of the source. labels: the same, parsed. follow_links: follow links that
    point outside the named folder. include_hidden: take hidden files and folders, and those of trash and NAS systems.
    archive_encoding: the encoding of member names that are not marked as UTF-8. path_column, label_column: columns of
    lists, by name, or by number (from 1) in lists without a header. list_encoding: the encoding of text lists that have
    no byte order mark.
    """

    label_from: str = "none"
    follow_links: bool = False
    include_hidden: bool = False
    archive_encoding: str | None = None
    path_column: str | None = None
    label_column: str | None = None
    list_encoding: str | None = None
    labels: LabelFrom = field(init=False)

    def __post_init__(self) -> None:
        """Raises UsageError `bad_label_from`, `bad_label_pattern`, `bad_encoding`."""
        object.__setattr__(self, "labels", LabelFrom.parse(self.label_from))
        for name in (self.archive_encoding, self.list_encoding):
            if name is not None:
                _check_encoding(name)


def _check_encoding(name: str) -> None:
    try:
        b"a".decode(name)
        "a".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError, ValueError) as error:
        raise UsageError(
            "bad_encoding", f"There is no text encoding {name!r}; try gbk, shift_jis, cp1252, cp437 or utf-8."
        ) from error
