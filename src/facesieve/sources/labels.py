"""Where the label of a picture comes from: a folder above it, or a pattern that its path matches."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from facesieve.errors import UsageError
from facesieve.records import Source

FORMS = "none, folder, parent, top-folder, folder:1, folder:2, ... and name:PATTERN"
LONGEST_PATTERN = 1000  # characters
PICTURES_AT_ONCE = 10_000  # names that are searched together
_DEPTH = re.compile(r"folder:([1-9][0-9]?)")


@dataclass(frozen=True, slots=True)
class LabelFrom:
    """Where labels come from.

    text: the one form that datasets record: `parent` is recorded as `folder`, and `folder:1` as `top-folder`.
    depth: 0 is the folder that the picture lies in, 1 the first folder below the named one, and so on; None takes no
    folder.
    pattern: a regular expression with a group `label`, which is searched in the name of the source; "" for none.
    """

    text: str
    depth: int | None = None
    pattern: str = ""

    @classmethod
    def parse(cls, text: str) -> LabelFrom:
        """Reads what a user wrote. Raises UsageError `bad_label_from` or `bad_label_pattern`."""
        if text.startswith("name:"):
            return cls(text, pattern=_checked(text.removeprefix("name:")))
        depths = {"none": None, "folder": 0, "parent": 0, "top-folder": 1}
        if text in depths:
            depth = depths[text]
        elif found := _DEPTH.fullmatch(text):
            depth = int(found[1])
        else:
            raise UsageError("bad_label_from", f"Labels cannot come from {text!r}; there are {FORMS}.")
        names = {None: "none", 0: "folder", 1: "top-folder"}
        return cls(names.get(depth, text), depth)

    @property
    def from_top(self) -> bool:
        """Whether folders are counted from the named folder down."""
        return bool(self.depth)

    def of_folders(self, folders: Sequence[str], own: str) -> str:
        """The label of a picture, or "".

        folders: those between the named folder and the picture. own: the label of pictures directly in the named one.
        """
        if self.depth is None or self.depth > max(len(folders), 1):
            return ""
        return folders[self.depth - 1] if folders else own  # -1 is the last folder

    def of_names(self, sources: Sequence[Source]) -> Iterator[Source]:
        """Yield the sources. Those without a label get the one that the pattern finds in their name, if any."""
        if not self.pattern:
            yield from sources
            return
        for start in range(0, len(sources), PICTURES_AT_ONCE):
            some = sources[start : start + PICTURES_AT_ONCE]
            labels = _found(self.pattern, [source.name for source in some])
            for source, label in zip(some, labels, strict=True):
                yield source if source.label else replace(source, label=label)


def _checked(pattern: str) -> str:
    if len(pattern) > LONGEST_PATTERN:
        raise UsageError("bad_label_pattern", f"The pattern of labels has more than {LONGEST_PATTERN} characters.")
    try:
        _found(pattern, [])
    except ValueError as error:  # pyarrow's ArrowInvalid is a ValueError
        fault = str(error).removeprefix("Invalid regular expression: ")
        if "unnamed groups" in fault:
            fault = "it has groups without a name; write (?:...) for them"
        raise UsageError("bad_label_pattern", f"The pattern of labels {pattern!r} cannot be used: {fault}.") from error
    if not re.search(r"\(\?P?<label>", pattern):
        raise UsageError(
            "bad_label_pattern",
            f"The pattern of labels {pattern!r} has no group `label`; write for example"
            r" name:(?P<label>[^/]+)_\d+\.jpg",
        )
    return pattern


def _found(pattern: str, names: Sequence[str]) -> list[str]:
    """The group `label` in each name; "" where the pattern does not match.

    RE2 searches in linear time, so no pattern can take long, whatever the names of files are.
    """
    import pyarrow as pa
    import pyarrow.compute as pc  # late, because other builds do not need it to find their pictures

    groups = pc.extract_regex(pa.array(names, pa.string()), pattern)
    return [(group or {}).get("label") or "" for group in groups.to_pylist()]


def label_notes(sources: Iterable[Source], labels: LabelFrom, column: str | None) -> Iterator[str]:
    """Yield what the user should know of the labels: spellings that are close to each other, and pictures without one.

    column: the column of labels that the user named in lists, if any.
    """
    held, without, one, spellings = 0, 0, "", dict[str, set[str]]()
    folders = dict[str, dict[str, None]]()
    for source in sources:
        held += bool(source.label)
        if source.label:
            spellings.setdefault(_folded(source.label), set()).add(source.label)
            if labels.depth == 0 and (folder := _folder_called(source.label, source.name)):
                folders.setdefault(source.label, {})[folder] = None
        else:
            without, one = without + 1, one or source.name
    for _, ways in sorted(spellings.items()):
        yield from _spelling_notes(sorted(ways))
    yield from _shared_name_notes(folders)
    if not without or (labels.text == "none" and not column):
        return
    why = "not in a folder below the named one, or without a label in a list"
    if labels.pattern:
        why = f"the pattern does not match the path, such as {one!r}"
    elif labels.text == "none":
        why = f"the column {column!r} of the list is empty there"
    if held:
        pictures = "1 picture has" if without == 1 else f"{without} pictures have"
        yield f"{pictures} no label: {why}"
    else:
        asked = labels.text if labels.text != "none" else column
        yield f"labels were asked for ({asked}), but no picture has one: {why}"


def _spelling_notes(ways: Sequence[str]) -> Iterator[str]:
    """Notes on labels that differ only in composition, which are one label, or in case, which are several."""
    composed: dict[str, list[str]] = {}
    for label in ways:
        composed.setdefault(unicodedata.normalize("NFC", label), []).append(label)
    for label, same in composed.items():
        if len(same) > 1:
            yield f"label {label!r} is spelled in {len(same)} ways (composed and decomposed); they are one label"
    if len(composed) > 1:
        some = ", ".join(map(repr, composed))
        yield f"labels that differ only in upper and lower case: {some}; they are {len(composed)} labels"


def _folder_called(label: str, name: str) -> str:
    """The folder of a picture, if the label is its name; else ""."""
    folder = name.rpartition("/")[0]
    return folder if folder.endswith(("/" + label, "!" + label)) or folder == label else ""


def _shared_name_notes(folders: dict[str, dict[str, None]]) -> Iterator[str]:
    """A note on labels that are the names of several folders. folders: by label."""
    shared = {label: list(found) for label, found in folders.items() if len(found) > 1}
    if shared:
        label, found = min(shared.items())
        labels_are = "1 label is" if len(shared) == 1 else f"{len(shared)} labels are"
        some = ", ".join(found[:2]) + (", ..." if len(found) > 2 else "")
        yield (
            f"{labels_are} the name of several folders, such as {label!r}: {some}; if these are not the same people,"
            " take the label from a folder above, with --label-from top-folder or folder:2"
        )


def _folded(label: str) -> str:
    return label.lower() if label.isascii() else unicodedata.normalize("NFC", label).casefold()
