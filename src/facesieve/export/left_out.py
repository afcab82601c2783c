"""Why a face is not in an export: the first of these reasons, in this order."""

from __future__ import annotations

import numpy as np

from facesieve.codes import Code
from facesieve.export.facts import Facts
from facesieve.export.format import ExportFormat
from facesieve.export.limit import balanced, fittest, frequent
from facesieve.export.spec import ExportSpec
from facesieve.quality import YAW_BINS
from facesieve.records import Integers, Mask


class LeftOut(Code):
    """Why a face is not in an export."""

    REJECTED = "rejected", "The policy of the dataset rejected the face."
    NO_CROP = "no_crop", "The dataset has no crop of the face."
    WHERE = "where", "The face does not fulfil --where."
    NO_LABEL = "no_label", "The face has no label, and the format is for training on labels."
    BALANCE = "balance", "Its pose has more faces than the rarest one (--balance pose), or was not measured."
    FEW_OF_LABEL = "few_of_label", "Its label has fewer faces than --min-per-label."
    MANY_OF_LABEL = "many_of_label", "Its label has more faces than --max-per-label, and others are fitter."
    SAME_PICTURE = "same_picture", "Another face of its picture or frame is left out, and coco has these as a whole."
    NO_PAIR = "no_pair", "No pair that was drawn has the face."


REASONS = tuple(LeftOut)


def left_out(facts: Facts, spec: ExportSpec, kind: ExportFormat, split: Integers) -> Integers:
    """(N,) 1 + the index in `REASONS` of the first reason why each face is left out; 0 if there is none.

    split: (N,) the index of the split of each face.
    """
    code = np.zeros(len(facts), np.int64)

    def leave_out(why: LeftOut, those: Mask) -> None:
        code[those & (code == 0)] = 1 + REASONS.index(why)

    if not (spec.rejected or kind.whole_pictures):
        leave_out(LeftOut.REJECTED, ~facts.kept)
    if kind.pictures:
        leave_out(LeftOut.NO_CROP, ~facts.has_crop)
    leave_out(LeftOut.WHERE, ~facts.fits)
    if kind.labelled and "" in facts.labels:
        leave_out(LeftOut.NO_LABEL, facts.label == facts.labels.index(""))
    if spec.balance:
        leave_out(LeftOut.BALANCE, ~balanced(facts, code == 0, split, len(YAW_BINS)))
    leave_out(LeftOut.FEW_OF_LABEL, ~frequent(facts, code == 0, spec.min_per_label))
    if spec.max_per_label is not None:
        leave_out(LeftOut.MANY_OF_LABEL, ~fittest(facts, code == 0, spec.max_per_label))
    if kind.whole_pictures:
        leave_out(LeftOut.SAME_PICTURE, np.isin(facts.frame, facts.frame[code > 0]))
    return code
