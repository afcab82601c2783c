"""Reads a stream of tables in pieces with any number of rows."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa


class RowStream:
    """The rows of consecutive tables with the same schema. A piece can span several tables."""

    def __init__(self, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
        self._tables, self._schema = iter(tables), schema
        self._held = schema.empty_table()

    def take(self, count: int) -> pa.Table:
        """The next `count` rows, or fewer at the end of the stream."""
        taken = list[pa.Table]()
        while count and self._more():
            piece = self._held.slice(0, count)
            self._held = self._held.slice(len(piece))
            taken.append(piece)
            count -= len(piece)
        return pa.concat_tables(taken) if taken else self._schema.empty_table()

    def ended(self) -> bool:
        """Whether there are no more rows."""
        return not self._more()

    def _more(self) -> bool:
        while not len(self._held):
            following = next(self._tables, None)
            if following is None:
                return False
            self._held = following
        return True
