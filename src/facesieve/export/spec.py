"""What an export is asked for, checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from facesieve.dataset.origin import Recorded
from facesieve.errors import UsageError
from facesieve.export.images import ImageFormat
from facesieve.export.where import Condition

By = Literal["label", "face", "source"]
BY: tuple[By, ...] = ("label", "face", "source")
MOST_SPLITS = 100
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_NEAR = 1e-6  # how far from 1 the shares may add up, as 1/3 has no end


class Split(Recorded):
    """A part of an export, and its share of the whole, from 0 to 1."""

    name: str
    share: float


class ExportSpec(Recorded):
    """What an export is asked for.

    to: the name of its format. image: how its pictures are encoded, such as `png` or `jpeg:95`. size: their side in
    pixels; None takes the crops as they are. splits, by: its parts, and what is never divided between two of them; None
    is `label` where there are labels. where: an expression that its faces fulfil; "" for all. rejected: whether
    rejected faces may be in it. min_per_label, max_per_label: labels with fewer faces are left out, and of more faces
    the fittest are taken. balance: `pose` or "". pairs: the number of pairs to make. seed: of everything that is drawn.
    licence, consent: what the user says about the faces, for the card.
    """

    to: str
    image: str
    size: int | None = None
    splits: tuple[Split, ...] = ()
    by: By | None = None
    where: str = ""
    rejected: bool = False
    min_per_label: int = 1
    max_per_label: int | None = None
    balance: Literal["", "pose"] = ""
    pairs: int = 6000
    seed: int = 0
    licence: str = ""
    consent: str = ""

    def checked(self) -> ExportSpec:
        """This spec. Raises UsageError if two of its values contradict each other, or one is out of range."""
        ImageFormat.parse(self.image)
        Condition.parse(self.where)
        if self.min_per_label < 1 or (self.max_per_label is not None and self.max_per_label < self.min_per_label):
            raise UsageError(
                "bad_limit", "--min-per-label is at least 1, and --max-per-label is not less than --min-per-label."
            )
        if self.size is not None and not 16 <= self.size <= 1024:
            raise UsageError("bad_size", f"--size {self.size} is out of range: write 16 to 1024 pixels.")
        if self.pairs < 2:
            raise UsageError("bad_pairs", f"--pairs {self.pairs} is too few: write 2 or more.")
        return self


def parse_splits(text: str) -> tuple[Split, ...]:
    """Read `train=0.8,val=0.1,test=0.1`. "" is no split.

    Raises UsageError `bad_split` if it is malformed, names a split twice, or the shares do not add up to 1.
    """
    splits = tuple(_split(part) for part in text.split(",")) if text else ()
    names = [split.name for split in splits]
    if len({name.casefold() for name in names}) < len(names) or len(names) > MOST_SPLITS:
        raise UsageError("bad_split", f"--split {text!r} names a split twice, or more than {MOST_SPLITS}.")
    total = sum(split.share for split in splits)
    if splits and abs(total - 1) > _NEAR:
        raise UsageError("bad_split", f"The shares of --split add up to {total:.6g}; they must add up to 1.")
    return splits


def choose_by(text: str | None) -> By | None:
    """What is never divided between splits. Raises UsageError `bad_split` if there is no such word."""
    if text is None:
        return None
    return _one_of(text, BY)


def _one_of(text: str, words: Sequence[By]) -> By:
    for word in words:
        if text == word:
            return word
    raise UsageError("bad_split", f"--by {text!r} is unknown; write {', '.join(words)}.")


def _split(part: str) -> Split:
    name, _, share = (piece.strip() for piece in part.partition("="))
    try:
        number = float(share)
    except ValueError:
        number = 0.0
    if not _NAME.fullmatch(name) or not 0 < number <= 1:
        raise UsageError("bad_split", f"{part!r} is not a split: write NAME=SHARE, such as train=0.8,val=0.1,test=0.1.")
    return Split(name=name, share=number)
