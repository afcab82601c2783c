"""What the page may ask: one model for all questions, and the function that answers each."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from facesieve.dataset.tables.decisions import Effect
from facesieve.review.query import Query
from facesieve.review.session import MOST_ROWS, Session

Text = Annotated[str, Field(max_length=20_000)]
Row = Annotated[int, Field(ge=0, strict=True)]


class Decided(BaseModel):
    """What a person decides about one face. seen: the version of the decision that the person saw."""

    model_config = ConfigDict(extra="forbid")

    row: Row
    verdict: str | None = None
    label: Text | None = None
    seen: Annotated[int, Field(ge=0, strict=True)] = 0


class Question(BaseModel):
    """A question of the page. Each kind of question uses some of the fields."""

    model_config = ConfigDict(extra="forbid")

    revision: int | None = None
    query: Query = Query()
    limits: dict[str, tuple[FiniteFloat | None, FiniteFloat | None]] = {}
    selection: Text = ""
    first: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=0, le=MOST_ROWS)] = 0
    row: Row = 0
    rows: Annotated[list[Row], Field(max_length=MOST_ROWS)] = []
    names: Annotated[list[str], Field(max_length=100)] = []
    text: Text = ""
    changes: Annotated[list[Decided], Field(max_length=MOST_ROWS)] = []
    who: Text = ""
    why: Text = ""


Answer = dict[str, Any] | bytes
Ask = Callable[[Session, Question], Answer]


def _decide(session: Session, q: Question) -> Answer:
    changes = [(one.row, Effect(one.verdict, one.label), one.seen) for one in q.changes]
    return session.decide(changes, q.who, q.why)


def _crops(session: Session, q: Question) -> Answer:
    """Each picture after its length in bytes, a little-endian number of 32 bits."""
    return b"".join(struct.pack("<I", len(one)) + one for one in session.crops(q.rows))


ANSWERS: dict[str, Ask] = {
    "facts": lambda session, q: session.facts(),
    "changes": lambda session, q: session.changes(),
    "window": lambda session, q: session.window(q.query, q.limits, q.first, q.count, q.selection),
    "position": lambda session, q: session.position(q.query, q.limits, q.row, q.selection),
    "counts": lambda session, q: session.counts(q.limits),
    "histograms": lambda session, q: session.histograms(q.names, q.query, q.limits),
    "labels": lambda session, q: session.labels(q.text),
    "face": lambda session, q: session.face(q.row, q.limits),
    "decided": lambda session, q: {"decided": session.decided(q.rows)},
    "decide": _decide,
    "policy": lambda session, q: {"toml": session.policy(q.limits, q.text)},
    "write": lambda session, q: session.write(q.text, q.limits),
    "crops": _crops,
    "picture": lambda session, q: session.picture(q.row),
}
