"""Claiming a dataset folder: one build at a time may write to it, and only if it fits the dataset that is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from facesieve.dataset.about import read_made, write_made
from facesieve.dataset.disk.atomic import wrap_read_errors, wrap_write_errors
from facesieve.dataset.disk.checksums import Checksum, read_checksums
from facesieve.dataset.disk.file_lock import acquired_lock
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.own_file import damaged_file
from facesieve.dataset.disk.replace import remove_published_checksums
from facesieve.dataset.origin import ClipOptions, IdentityModel, Options, Origin, difference, other_engines
from facesieve.errors import DatasetError
from facesieve.run.permit import revoke_all
from facesieve.run.undone import mark_limit_refusals
from facesieve.settings import default_clip_limits
from facesieve.sieve import Policy

# Files that desktops, file systems and git leave in folders that are otherwise empty, in lower case.
LEFTOVERS = frozenset(
    {
        *(".ds_store", ".localized", ".fseventsd", ".spotlight-v100", ".trashes", ".temporaryitems", "icon\r"),
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
        *("lost+found", ".directory", ".trash-1000", "@eadir", "#recycle"),
        *(".gitkeep", ".keep", ".gitignore", ".gitattributes"),
    }
)

_LOCK_TIMEOUT = 0.2  # seconds; a check of the dataset takes the lock for a moment


def check_writable(root: Path) -> None:
    """Check that a build may write here: a new or empty folder, or a dataset that can be continued.

    Raises DatasetError if not. Writes nothing.
    """
    layout = Layout(root)
    with wrap_read_errors(root):
        inside = next((folder for folder in Path(os.path.realpath(root)).parents if _is_dataset(folder)), None)
        if inside:
            raise DatasetError(
                "inside_a_dataset", f"{root} is inside the dataset {inside}. Choose a folder outside of it."
            )
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
            if layout.numbers(layout.parts):
                raise damaged_file(layout.made, "it is missing")
            raise DatasetError(
                "not_continuable",
                f"{root} has no ledger of its inputs, so no pictures can be added. Build into a new folder.",
            )
        others = other_files(root)
        if others:
            raise DatasetError(
                "not_a_dataset",
                f"{root} has other files in it, such as {others[0]!r}. Choose a new or an empty folder.",
            )


def other_files(root: Path) -> list[str]:
    """Names in a folder, sorted, without those that desktops, file systems and git leave in empty folders."""
    return sorted(name for name in os.listdir(root) if name.lower() not in LEFTOVERS)  # noqa: PTH208 - only names


def _is_dataset(folder: Path) -> bool:
    layout = Layout(folder)
    return layout.hidden.is_dir() or (layout.about.exists() and layout.faces.exists())


@contextmanager
def claim(
    layout: Layout, origin: Origin, allow_mixed_engines: bool = False, clips: ClipOptions | None = None
) -> Iterator[None]:
    """Lock a dataset for one build. origin: how the build makes it; the dataset must have been made in the same way.

    clips: how the build reads clips, which must be the same way too if the dataset has clips.
    allow_mixed_engines: allow an inference engine that computes other numbers than the one before.
    Raises DatasetError if another build is writing, the origin differs, or a file cannot be written.
    """
    check_writable(layout.root)
    with lock_dataset(layout):
        _compare_origin(layout, origin, allow_mixed_engines, clips)
        yield


@contextmanager
def lock_dataset(layout: Layout, merging: bool = False) -> Iterator[None]:
    """Lock a dataset for writing, and revoke what permits of an earlier build are left.

    merging: whether the caller merges other datasets into this one.
    Raises DatasetError if it is locked already, cannot be written, or is the unfinished result of a merge.
    """
    busy = f"Another build is writing to {layout.root}. Wait until it has ended."
    lock = acquired_lock(layout.lock, _LOCK_TIMEOUT, busy, layout.root)
    try:
        revoke_all(layout)
        if layout.merging.exists() and not merging:
            raise DatasetError(
                "unfinished", f"A merge into {layout.root} has not ended. Run the same merge again to finish it."
            )
        yield
    finally:
        with wrap_write_errors(layout.scratch):
            shutil.rmtree(layout.scratch, ignore_errors=True)
        lock.release()


@contextmanager
def kept_from_changes(layout: Layout, patience: float = _LOCK_TIMEOUT) -> Iterator[None]:
    """Keep builds and other commands from writing to a dataset that is only read. It may be on a read-only disk.

    patience: how many seconds to wait for another command. Raises DatasetError if a build is writing.
    """
    lock = FileLock(layout.lock, timeout=patience)
    try:
        if layout.lock.exists():  # otherwise no command has ever written here
            lock.acquire()
    except Timeout as error:
        raise DatasetError("in_use", f"A build is writing to {layout.root}. Wait until it has ended.") from error
    except OSError:  # this user may only read the dataset
        pass
    try:
        yield
    finally:
        lock.release()


def is_locked(layout: Layout) -> bool:
    """Whether a build, or another command that writes, has locked the dataset."""
    if not layout.lock.exists():
        return False
    lock = FileLock(layout.lock, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # this user may only read the dataset
        return False
    lock.release()
    return False


def recorded_options(layout: Layout) -> Options | None:
    """The options of the dataset that is there; None if there is none. Raises DatasetError if it is damaged."""
    return read_made(layout, _known(layout)).options if layout.made.exists() else None


def _compare_origin(layout: Layout, origin: Origin, allow_mixed_engines: bool, clips: ClipOptions | None) -> None:
    new = not layout.made.exists()
    before = origin if new else read_made(layout, _known(layout))
    if before.clips:
        origin = origin.with_clips(clips or before.clips)
    if before.identity != origin.identity:
        raise DatasetError("other_identity", _other_identity(layout, before.identity, origin.identity))
    differs = [line for line in difference(before, origin) if not line.startswith("policy.sentence:")]
    if differs:
        raise DatasetError("other_settings", _difference(layout, differs, before, origin.policy.name))
    foreign = [] if allow_mixed_engines else other_engines(before.engines, origin.engines)
    if foreign:
        raise DatasetError(
            "other_engine",
            f"{layout.root} was built with another inference engine, whose numbers differ in their last digits. Use it"
            " again (settings `engine` and `isa`), or allow both with --allow-mixed-engines.\n"
            + "\n".join(f"  {line}" for line in foreign),
        )
    made = origin.joined(before)
    if new or made != before:
        remove_published_checksums(layout)
        if _other_limits(before, made):  # the marks come first, because `made.json` then has the new limits
            mark_limit_refusals(layout)
        write_made(made, layout)


def _other_limits(before: Origin, now: Origin) -> bool:
    """Whether a build with the limits of `now` may read pictures that one with those of `before` refused."""
    known = {**default_clip_limits(), **before.limits}
    return any(known.get(name, value) != value for name, value in {**default_clip_limits(), **now.limits}.items())


def _other_identity(layout: Layout, before: IdentityModel | None, now: IdentityModel | None) -> str:
    root = layout.root
    if before is None or now is None:
        model = (before or now or IdentityModel(model="none", sha256="")).model
        if before is None:
            add = f"Add them first: facesieve identify {root} --identity {model}"
            return f"{root} has no embeddings. {add} (or build without --identity)."
        remove = f"facesieve identify {root} --identity none"
        return f"{root} has embeddings of {model}. Build with --identity {model}, or remove them first: {remove}"
    if before.model == now.model:
        return f"{root} has embeddings of other weights of {before.model}. Use the same file, or build a new dataset."
    same = f"Use --identity {before.model}, or build into a new folder."
    return f"{root} has embeddings of {before.model}, which cannot be compared with those of {now.model}. {same}"


def _difference(layout: Layout, differs: list[str], before: Origin, policy: str) -> str:
    lines = [f"{layout.root} was built with other options (below). Use the same options, or build into a new folder."]
    lines += [f"  {line}" for line in differs]
    if any(line.startswith("settings.pose: ") for line in differs):
        lines.append(f"To continue it with the pose model that it has: --setting pose={before.settings['pose']}.")
    if any(line.startswith("policy.") for line in differs):
        how = f"--policy {policy}" if policy in Policy.presets() else "--policy NAME|FILE --set LIMIT=VALUE"
        lines.append(f"To apply another policy: `facesieve sieve {layout.root} {how} -o NEW`.")
    return "\n".join(lines)


def _known(layout: Layout) -> frozenset[Checksum]:
    return read_checksums(layout.published_sums).get(layout.name_of(layout.made), frozenset())
