"""The language of `--where`: comparisons of columns, joined by `and`, `or` and `not`. It runs no code.

    yaw > -20 and yaw < 20        abs(yaw) < 20 and label != "x"        label in ["Ada", "Grace"]
    fitness >= 50 or blur is None        startswith(label, "A") and not outside > 0.1

Python's parser reads the text, and only the nodes in this file have a meaning: each becomes one function of
`pyarrow.compute` over whole columns. A comparison with a number that was not measured is neither true nor false, and
only faces for which the whole expression is true are taken, as in SQL.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.errors import UsageError
from facesieve.records import Mask

LONGEST = 2000  # characters
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
    ast.Eq: pc.equal,
    ast.NotEq: pc.not_equal,
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: pc.add,
    ast.Sub: pc.subtract,
    ast.Mult: pc.multiply,
    ast.Div: lambda one, other: pc.divide(pc.multiply(one, 1.0), other),  # 1 / 2 is 0.5, and 1 / 0 no error
}
_WITH_TEXT: Mapping[str, Callable[..., Any]] = {
    "startswith": pc.starts_with,
    "endswith": pc.ends_with,
    "contains": pc.match_substring,
}


class _NotUnderstood(Exception):  # noqa: N818 - it becomes a UsageError
    """A part of an expression that has no meaning here."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on faces. text: as the user wrote it; "" is always true. names: the columns that it asks for."""

    text: str
    names: frozenset[str]
    tree: ast.expr | None

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read an expression. Raises UsageError `bad_where` if it is not one."""
        if not text.strip():
            return cls("", frozenset(), None)
        if len(text) > LONGEST:
            raise UsageError("bad_where", f"The expression of --where has more than {LONGEST} characters.")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
            called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node not in called}
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise _wrong(text, "it is not an expression such as yaw < 20 and label != 'x'") from error
        return cls(text, frozenset(names), tree)

    def __call__(self, rows: pa.Table) -> Mask:
        """(N,) whether each row fulfils it. Raises UsageError `bad_where` if it has no meaning for these columns."""
        if self.tree is None:
            return np.ones(len(rows), bool)
        if unknown := sorted(self.names - set(rows.column_names)):
            raise _wrong(self.text, f"there is no column {unknown[0]!r}")
        try:
            found = _value(self.tree, rows)
            if not pa.types.is_boolean(found.type):
                raise _NotUnderstood("it is neither true nor false")
        except _NotUnderstood as error:
            raise _wrong(self.text, str(error)) from error
        except (pa.ArrowException, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise _wrong(self.text, "it compares values of different types") from error
        if isinstance(found, pa.Scalar):
            return np.full(len(rows), bool(found.as_py()))
        return np.asarray(pc.fill_null(found, False), bool)


def _wrong(text: str, why: str) -> UsageError:
    shown = text if len(text) <= 200 else text[:200] + "..."
    return UsageError("bad_where", f"--where {shown!r} cannot be used: {why}.")


def _value(node: ast.expr, rows: pa.Table) -> Any:
    match node:
        case ast.Name(id=name):
            return rows[name]
        case ast.Constant(value=str() | bool() | int() | float() | None as value):
            return pa.scalar(value)
        case ast.BoolOp(op=op, values=values):
            join = pc.and_kleene if isinstance(op, ast.And) else pc.or_kleene
            return reduce(join, (_value(value, rows) for value in values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return pc.invert(_value(operand, rows))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return pc.negate(_value(operand, rows))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _ARITHMETIC[type(op)](_value(left, rows), _value(right, rows))
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = pairwise([left, *others])
            return reduce(pc.and_kleene, (_compared(*pair, op, rows) for pair, op in zip(sides, ops, strict=True)))
        case ast.Call(func=ast.Name(id="abs"), args=[of], keywords=[]):
            return pc.abs(_value(of, rows))
        case ast.Call(func=ast.Name(id=name), args=[of, ast.Constant(value=str() as text)], keywords=[]) if (
            name in _WITH_TEXT
        ):
            return _WITH_TEXT[name](_value(of, rows), text)
        case _:
            raise _NotUnderstood(f"{ast.unparse(node)[:100]!r} has no meaning here")


def _compared(left: ast.expr, right: ast.expr, op: ast.cmpop, rows: pa.Table) -> Any:
    match op, right:
        case ((ast.In() | ast.NotIn()), (ast.List(elts=items) | ast.Tuple(elts=items))):
            values = [ast.literal_eval(item) for item in items if isinstance(item, ast.Constant)]
            if len(values) < len(items):
                raise _NotUnderstood("a list has only numbers and texts")
            held = _value(left, rows)
            found = pc.is_in(held, pa.array(values, held.type))
            return found if isinstance(op, ast.In) else pc.invert(found)
        case ((ast.Is() | ast.IsNot()), ast.Constant(value=None)):
            held = _value(left, rows)
            return pc.is_null(held) if isinstance(op, ast.Is) else pc.is_valid(held)
    if type(op) not in _COMPARISONS:
        raise _NotUnderstood("`in` needs a list, and `is` needs None")
    return _COMPARISONS[type(op)](_value(left, rows), _value(right, rows))
