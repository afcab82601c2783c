"""Curves as a table for people, and as CSV for programs that draw."""

from __future__ import annotations

from collections.abc import Iterator

from facesieve.fit.curve import RANDOM
from facesieve.fit.curve_records import Curve, Curves

SHOWN = (0, 2, 4, 6)  # steps of discarded faces in the table
HEAD = "far,measure,discarded,fnmr,low,high"


def lines(found: Curves) -> Iterator[str]:
    """Yield the lines of a text for people."""
    yield f"{found.faces:,} faces of {found.labels:,} labels; {found.people:,} labels have right pairs"
    yield f"{found.right_pairs:,} right pairs, {found.wrong_pairs:,} wrong pairs"
    for far, distance in found.limits.items():
        yield ""
        yield f"At FAR {far:g} (distance {distance:.3f}): share of right pairs that fail (FNMR), worst faces discarded"
        columns = "".join(f"{100 * found.discarded[step]:>8.0f} %" for step in SHOWN)
        yield f"{'discarded by':<28}{columns}{'gain':>9}   95 % of draws"
        yield from (_line(curve) for curve in found.curves if curve.far == far)
    if found.limits:
        yield ""
        yield "gain: by what share the FNMR falls, on average from 5 to 30 % discarded; 0 by chance, 100 % at best."
        yield "95 % of draws: where the gain lies in 95 % of 500 random draws of the people."
        yield f"A measure whose gain is within the range of {RANDOM!r} may predict nothing."


def _line(curve: Curve) -> str:
    cells = "".join(_cell(curve.fnmr[step], 10) for step in SHOWN)
    span = f"{_cell(curve.gain_low, 8)} to{_cell(curve.gain_high, 8)}" if curve.gain_low is not None else ""
    return f"{curve.measure:<28}{cells}{_cell(curve.gain, 9)}   {span}"


def _cell(share: float | None, width: int) -> str:
    return f"{'-' if share is None else f'{100 * share:.1f} %':>{width}}"


def csv(found: Curves) -> str:
    """One line for each curve and discarded share; an empty field where no pair is left."""
    return "\n".join([HEAD, *_rows(found)]) + "\n"


def _rows(found: Curves) -> Iterator[str]:
    for curve in found.curves:
        for share, *numbers in zip(found.discarded, curve.fnmr, curve.low, curve.high, strict=True):
            values = ["" if number is None else f"{number:g}" for number in numbers]
            yield ",".join([f"{curve.far:g}", curve.measure, f"{share:g}", *values])
