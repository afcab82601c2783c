"""Which picture files a build writes."""

from __future__ import annotations

from dataclasses import dataclass

CUTS = ("face", "head")  # the unaligned crops that can be asked for


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a build writes besides the crops of kept faces.

    keep_rejected: also the crops of rejected faces. cuts: unaligned crops, any of `CUTS`.
    marked: a copy of each picture, and of one frame of each clip, with the faces drawn. marked_video: a copy of each
    clip with the faces drawn. tar_bytes: the usual size of the tar files that hold the crops; None writes each crop as
    a file of its own.
    """

    keep_rejected: bool = False
    cuts: tuple[str, ...] = ()
    marked: bool = False
    marked_video: bool = False
    tar_bytes: int | None = None

    @property
    def in_tars(self) -> bool:
        """Whether crops are members of tar files."""
        return self.tar_bytes is not None

    def draws(self, is_clip: bool) -> bool:
        """Whether a copy of a picture or clip with its faces drawn is written."""
        return self.marked or (self.marked_video and is_clip)

    def writes(self, kept: bool) -> bool:
        """Whether the crop of a face is written. kept: the verdict on the face."""
        return kept or self.keep_rejected
