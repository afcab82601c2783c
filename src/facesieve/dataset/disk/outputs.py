"""Which picture files a build writes."""

from __future__ import annotations

from dataclasses import dataclass

CUTS = ("face", "head")  # the unaligned crops that can be asked for


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a build writes besides the crops of kept faces.

    keep_rejected: also the crops of rejected faces. cuts: unaligned crops, any of `CUTS`.
    marked: a copy of each picture with its faces drawn.
    """

    keep_rejected: bool = False
    cuts: tuple[str, ...] = ()
    marked: bool = False

    def writes(self, kept: bool) -> bool:
        """Whether the crop of a face is written. kept: the verdict on the face."""
        return kept or self.keep_rejected
