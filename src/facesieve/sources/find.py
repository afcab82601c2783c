"""The arguments of a build, turned into sources: files, folders, globs, archives, lists of paths, and buckets."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from facesieve.buckets import is_bucket_url
from facesieve.errors import Refused, UsageError
from facesieve.records import Source, displayed
from facesieve.regular_file import what_is_wrong
from facesieve.settings import Settings
from facesieve.sources.archive import from_archive, is_archive
from facesieve.sources.bucket import BucketArgument, Buckets
from facesieve.sources.file import from_file
from facesieve.sources.folder import from_folder
from facesieve.sources.globs import matches
from facesieve.sources.labels import label_notes
from facesieve.sources.lists import from_list, is_list, looks_like_a_list
from facesieve.sources.names import ignored_file
from facesieve.sources.options import SourceOptions
from facesieve.sources.remote.remote import from_url
from facesieve.sources.remote.url import file_path, is_url
from facesieve.sources.search import Found, Search, folder_ids


def find_sources(
    arguments: Sequence[str | Path],
    settings: Settings,
    options: SourceOptions | None = None,
    leave_out: Collection[Path] = (),
    counted: Callable[[list[Source]], list[Source]] = list,
) -> Found:
    """Every picture behind the arguments, in their order and by name within each; nothing is decoded.

    All are found before this returns, so a wrong argument is reported before any work begins. A file that turns out
    to be no picture is a source too; `decode` refuses it later. A path that two arguments reach is one source.
    leave_out: folders not to enter, such as the dataset that is being written.
    counted: the sources that notes about labels are about, if a build takes only some of them.
    Raises UsageError: `missing_source`, `empty_source`, `bad_list`, `unreadable_list`, `no_top_folder`,
    `no_temporary_room`, `no_cloud`, and `unreadable_source` for a bucket that cannot be listed.
    """
    search = Search(settings, options or SourceOptions(), folder_ids(leave_out))
    buckets = Buckets(search)
    named = _mark_shell_globs([_parsed(argument, search, buckets) for argument in arguments])
    only_folder = sum(one.folders for one in named) == 1
    labels = search.options.labels
    by_argument = [list(labels.of_names(list(_sources_of(one, search, only_folder, buckets)))) for one in named]
    _tell_star(named, by_argument, search)
    _tell_shared(by_argument, search)
    found = list(_once(chain.from_iterable(by_argument)))
    if named and not found:
        raise _nothing(", ".join(displayed(one.text) for one in named[:5]), search)
    for note in label_notes(counted(found), labels, search.options.label_column):
        search.tell(note)
    return Found(found, search.left_out, search.notes, _only_listed(chain.from_iterable(by_argument), search))


@dataclass(frozen=True, slots=True)
class _Argument:
    """An argument of the user, and the paths that it names; a URL names none, and neither does a bucket.

    lenient: whether files that are no pictures are left out silently, because the argument matches everything in a
    folder.
    """

    text: str
    paths: list[Path]
    is_glob: bool = False
    lenient: bool = False
    url: bool = False
    bucket: BucketArgument | None = None

    @property
    def folders(self) -> int:
        """How many folders it names."""
        is_folder = self.bucket is not None and self.bucket.found is None
        return is_folder + sum(map(_is_folder, self.paths))


def _parsed(argument: str | Path, search: Search, buckets: Buckets) -> _Argument:
    """An argument as a URL, as a path that exists, or as a glob (`**` enters folders)."""
    text = str(argument)
    try:
        path = file_path(text)
    except Refused as refused:
        raise UsageError("missing_source", f"{displayed(text)} cannot be read: {refused.message}") from refused
    if path is None and is_bucket_url(text):
        return _Argument(text, [], bucket=buckets.parsed(text))
    if path is None and is_url(text):
        return _Argument(text, [], url=True)
    if os.path.lexists(path or argument):
        return _Argument(text, [Path(path or argument)])
    if path is not None:
        raise UsageError("missing_source", f"There is no file or folder {path!r}.")
    if glob.has_magic(text):
        return _Argument(text, matches(text, search), is_glob=True, lenient=not is_list(Path(text)))
    raise UsageError("missing_source", f"There is no file or folder {text!r}.")


def _mark_shell_globs(named: list[_Argument]) -> list[_Argument]:
    """Mark the arguments of a folder as lenient if they are all of its files: a shell makes them from `folder/*`."""
    by_folder: dict[Path, set[str]] = {}
    for one in named:
        if one.paths and not one.is_glob:
            by_folder.setdefault(one.paths[0].parent, set()).add(one.paths[0].name)
    complete = {folder for folder, names in by_folder.items() if len(names) > 1 and _names_all_files(folder, names)}
    return [
        replace(one, lenient=True) if one.paths and not one.is_glob and one.paths[0].parent in complete else one
        for one in named
    ]


def _names_all_files(folder: Path, names: set[str]) -> bool:
    """Whether the names are those that `*` or `*.*` matches in a folder."""
    try:
        held = {name for name in os.listdir(folder) if not name.startswith(".")}  # noqa: PTH208
    except OSError:
        return False
    return names in (held, {name for name in held if "." in name})


def _sources_of(one: _Argument, search: Search, only_folder: bool, buckets: Buckets) -> Iterator[Source]:
    """The sources of one argument. only_folder: whether only one folder was named in all arguments."""
    if one.url:
        yield from_url(one.text, "", search.settings)
        return
    found = False
    of_paths = (source for path in one.paths for source in _of_path(path, one, search, only_folder))
    for source in buckets.sources(one.bucket, only_folder) if one.bucket else of_paths:
        found = True
        yield source
    if not found and not one.lenient and folder_ids(one.paths) & search.excluded:
        raise UsageError(
            "empty_source",
            f"{one.text!r} is the output folder itself; name another folder for the dataset with -o.",
        )
    if not found and not one.lenient:
        raise _nothing(repr(one.text), search)
    if one.is_glob and not one.paths:
        raise _nothing(repr(one.text), search)


def _nothing(what: str, search: Search) -> UsageError:
    line = search.left_out.line()
    return UsageError("empty_source", f"There are no pictures in {what}" + (f"; {line}." if line else "."))


def _of_path(path: Path, one: _Argument, search: Search, only_folder: bool) -> Iterable[Source]:
    if _is_folder(path):
        return from_folder(path, search, only_folder=only_folder, glob=one.is_glob or one.lenient)
    if _is_special(path):
        return [from_file(path)]
    if is_archive(path):
        return from_archive(path, search)
    if is_list(path) and (not one.lenient or looks_like_a_list(path, search)):
        return from_list(path, search)
    if one.lenient and ignored_file(path.name):
        search.left_out.other_files += 1
        if is_list(path):
            search.tell(f"{displayed(path.as_posix())} names no picture, and was not read as a list")
        return []
    if search.options.labels.from_top and not one.lenient:
        raise UsageError(
            "no_top_folder",
            f"--label-from {search.options.label_from} needs folders or archives, and"
            f" {displayed(path.as_posix())!r} is a file; name the folder that holds the labelled folders.",
        )
    return [from_file(path, path.parent.name if search.options.labels.depth == 0 else "")]


def _tell_star(named: list[_Argument], by_argument: list[list[Source]], search: Search) -> None:
    """Tell the user where depth is counted from if a shell expanded `folder/*`, and these folders have folders."""
    depth, told = search.options.labels.depth, set[Path]()
    for one, sources in zip(named, by_argument, strict=True):
        if not depth or not one.lenient or one.is_glob or not _is_folder(one.paths[0]):
            continue
        folder = one.paths[0].as_posix()
        if one.paths[0].parent not in told and any("/" in source.name.removeprefix(f"{folder}/") for source in sources):
            told.add(one.paths[0].parent)
            parent = displayed(one.paths[0].parent.as_posix())
            search.tell(
                f"the arguments are everything in {parent}, so depth is counted from there, and {one.paths[0].name!r}"
                f" is the first folder; for one folder deeper use --label-from folder:{depth + 1}"
            )


def _tell_shared(by_argument: list[list[Source]], search: Search) -> None:
    """Tell the user if several arguments have top folders of the same name, as these may be different people."""
    if not search.options.labels.from_top:
        return
    held = Counter(label for sources in by_argument for label in {source.label for source in sources if source.label})
    if shared := sorted(label for label, times in held.items() if times > 1):
        some = ", ".join(shared[:5]) + (", ..." if len(shared) > 5 else "")
        search.tell(
            f"labels that several arguments have in common: {some}; if these are not the same people,"
            " name the folder that holds the people's folders instead"
        )


def _only_listed(sources: Iterable[Source], search: Search) -> dict[bytes, set[bytes]]:
    """By list, the keys of the sources that it names and that were not found in any other way."""
    if not search.listed:
        return {}
    times = Counter(source.key for source in sources)
    times.subtract(chain.from_iterable(search.listed.values()))
    return {name: {key for key in keys if not times[key]} for name, keys in search.listed.items()}


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - never raises


def _is_special(path: Path) -> bool:
    """Whether a path is not a regular file, so that it must not be opened."""
    try:
        return bool(what_is_wrong(path.stat()))
    except (OSError, ValueError):
        return False


def _once(sources: Iterable[Source]) -> Iterator[Source]:
    """Each source once for each of its labels, and without a label only where it has none."""
    listed = list(sources)
    named = {source.key for source in listed if source.label}
    seen: set[tuple[bytes, str]] = set()
    for source in listed:
        this = (source.key, source.label)
        if this not in seen and (source.label or source.key not in named):
            seen.add(this)
            yield source
