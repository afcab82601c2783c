"""Who may write into a dataset folder: one build at a time, and only what fits what is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from facesieve.dataset.about import read_made, write_made
from facesieve.dataset.disk.atomic import wrap_write_errors
from facesieve.dataset.disk.checksums import Checksum, read_checksums
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.origin import Origin, difference, other_engines
from facesieve.errors import DatasetError
from facesieve.run.publish import remove_published_checksums
from facesieve.sieve import Policy

# What desktops, file systems and git leave in a folder that people call empty, in lower case.
LEFTOVERS = frozenset(
    {
        *(".ds_store", ".localized", ".fseventsd", ".spotlight-v100", ".trashes", ".temporaryitems", "icon\r"),
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
        *("lost+found", ".directory", ".trash-1000", "@eadir", "#recycle"),
        *(".gitkeep", ".keep", ".gitignore", ".gitattributes"),
    }
)

_PROBED = 0.2  # seconds; a check takes the lock for a moment


def check(root: Path) -> None:
    """Whether a build may write here: a new or empty folder, or a dataset that can be continued.

    Raises DatasetError otherwise; touches nothing.
    """
    layout = Layout(root)
    with _readable(root):
        inside = next((folder for folder in Path(os.path.realpath(root)).parents if _is_dataset(folder)), None)
        if inside:
            raise DatasetError("inside_a_dataset", f"{root} is inside the dataset {inside}; choose a folder elsewhere.")
        there = next(path for path in (root, *root.absolute().parents) if path.exists() or path.is_symlink())
        if not there.is_dir():
            raise DatasetError("not_a_folder", f"{there} is not a folder.")
        if not os.access(there, os.W_OK | os.X_OK):
            raise DatasetError("cannot_write", f"Cannot write {there}: Permission denied.")
        if there != root:
            return
        if layout.hidden.is_dir() and (layout.made.exists() or not layout.about.exists()):
            return
        if layout.about.exists():
            raise DatasetError(
                "not_continuable",
                f"{root} has no ledger of its inputs and cannot be added to; build into a new folder.",
            )
        in_the_way = others(root)
        if in_the_way:
            raise DatasetError(
                "not_a_dataset",
                f"{root} holds other files, such as {in_the_way[0]!r}; choose a new or an empty folder.",
            )


def others(root: Path) -> list[str]:
    """Names of what is in a folder, sorted, without what desktops, file systems and git leave in empty ones."""
    return sorted(name for name in os.listdir(root) if name.lower() not in LEFTOVERS)  # noqa: PTH208 - names alone


def _is_dataset(folder: Path) -> bool:
    layout = Layout(folder)
    return layout.hidden.is_dir() or (layout.about.exists() and layout.faces.exists())


@contextmanager
def claim(layout: Layout, origin: Origin, mixed_engines: bool = False) -> Iterator[None]:
    """Hold a dataset for one build of what `origin` describes.

    mixed_engines: also where the dataset was made by engines whose numbers differ.

    Raises DatasetError when another build holds it, when what made it differs, or where the disk refuses.
    """
    check(layout.root)
    with hold(layout):
        _agree(layout, origin, mixed_engines)
        yield


@contextmanager
def hold(layout: Layout) -> Iterator[None]:
    """Be the only one that writes into a dataset. Raises DatasetError when another does, or the disk refuses."""
    with wrap_write_errors(layout.root):
        layout.hidden.mkdir(parents=True, exist_ok=True)
        lock = FileLock(layout.lock, timeout=_PROBED)
        try:
            lock.acquire()
        except Timeout as error:
            raise DatasetError("in_use", f"Another build is writing to {layout.root}.") from error
    try:
        yield
    finally:
        with wrap_write_errors(layout.scratch):
            shutil.rmtree(layout.scratch, ignore_errors=True)
        lock.release()


def being_written(layout: Layout) -> bool:
    """Whether a build, or another command that writes, holds the dataset."""
    if not layout.lock.exists():
        return False
    lock = FileLock(layout.lock, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # a dataset that may only be read
        return False
    lock.release()
    return False


def _agree(layout: Layout, origin: Origin, mixed_engines: bool) -> None:
    new = not layout.made.exists()
    before = origin if new else read_made(layout, _known(layout))
    differs = [line for line in difference(before, origin) if not line.startswith("policy.sentence:")]
    if differs:
        raise DatasetError("other_settings", _differently(layout, differs, origin.policy.name))
    foreign = [] if mixed_engines else other_engines(before, origin)
    if foreign:
        raise DatasetError(
            "other_engine",
            f"{layout.root} was made by an engine whose numbers differ in their last digits; go on with that one "
            "(settings `engine` and `isa`), or allow and record both with --allow-mixed-engines.\n"
            + "\n".join(f"  {line}" for line in foreign),
        )
    made = origin.joined(before)
    if new or made != before:
        remove_published_checksums(layout)
        write_made(made, layout)


def _differently(layout: Layout, differs: list[str], policy: str) -> str:
    lines = [f"{layout.root} was made otherwise; build into a new folder, or with what made it."]
    lines += [f"  {line}" for line in differs]
    if any(line.startswith("policy.") for line in differs):
        how = f"--policy {policy}" if policy in Policy.presets() else "--policy NAME|FILE --set LIMIT=VALUE"
        lines.append(f"To judge with other limits: `facesieve sieve {layout.root} {how} -o NEW`.")
    return "\n".join(lines)


def _known(layout: Layout) -> frozenset[Checksum]:
    return read_checksums(layout.published_sums).get(layout.name_of(layout.made), frozenset())


@contextmanager
def _readable(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetError("cannot_read", f"Cannot look into {root}: {error.strerror or error}.") from error
