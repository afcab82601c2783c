"""The result of a build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from facesieve.dataset.tables.counts import Counts
from facesieve.dataset.tables.picture_row import PictureRow
from facesieve.run.progress import Progress
from facesieve.sources import LeftOut


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The result of a build.

    counts: of the whole dataset. progress: of this build. readable: how many of this build's inputs could be read.
    shared_labels: pictures of the dataset that have a label and several kept faces, which all get that label.
    several_labels: pictures of the dataset whose bytes lie at several paths with different labels.
    relabelled: how many pictures of this build had another label before, by old label and new label.
    damaged: names of files that were missing or damaged when the build began; their pictures were done again.
    gone: sources in the dataset that are no longer in the named inputs. pruned: whether their rows were removed.
    moved: sources in the dataset whose files no longer exist, while this build found the same bytes at another path.
    moved_labels: sources in the dataset that are gone while this build found the same bytes under another label. Their
    faces are under the new label only.
    forgotten: how many pictures were not added because they, or their labels, were forgotten.
    left_out: what was found in the named inputs and is not a source. notes: sentences about the sources, and about
    what could not be compared. refused: the first refused pictures of the dataset, at most `FIRST_REFUSED`.
    """

    counts: Counts
    progress: Progress
    readable: int
    shared_labels: int = 0
    several_labels: int = 0
    relabelled: Mapping[tuple[str, str], int] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    pruned: bool = False
    moved: tuple[str, ...] = ()
    moved_labels: tuple[str, ...] = ()
    forgotten: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)
    notes: tuple[str, ...] = ()
    refused: tuple[PictureRow, ...] = ()
