"""Searching the log: a query in, the rows that match out, kept up to date by looking at new rows only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.answers import event_at
from antflow_core.history.event_log import EventLog
from antflow_core.history.masks import Block, Condition, compile_terms
from antflow_core.history.query import FIELDS, Field, parse, quote, unquote
from antflow_core.types import StatusEvent, TaskEvent

__all__ = ["FIELDS", "Field", "SearchResult", "quote", "search", "unquote"]


def search(log: EventLog, query: str = "", *, status_rows_only: bool = False) -> SearchResult:
    """The events of a log that match a query; `antflow_core.history.query` describes the language.

    Args:
        query: Empty for every event.
        status_rows_only: Leave task events out whatever the query says.

    Raises:
        QueryError: The query is faulty.
    """
    return SearchResult(log, compile_terms(log, parse(query), status_rows_only=status_rows_only))


class SearchResult:
    """The rows of a log that match a query, as of the last `update`; iterating gives the events."""

    def __init__(self, log: EventLog, conditions: Sequence[Condition]) -> None:
        self._log = log
        self._conditions = conditions
        self._next_row = log.first_row
        self._buffer = np.empty(0, np.int64)
        self._count = 0
        self.update()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[StatusEvent | TaskEvent]:
        for row in self.rows.tolist():
            yield event_at(self._log, row)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The absolute rows in ascending order, read-only; an array once handed out never changes."""
        rows = self._buffer[: self._count]
        rows.flags.writeable = False
        return rows

    def update(self) -> int:
        """Look at the rows that came since, and return how many of them match."""
        before, stop = self._count, self._log.next_row
        if self._next_row == stop:
            return 0
        for condition in self._conditions:
            condition.follow()
        for start, block in self._log.blocks(self._next_row, stop):
            self._take(self._matching(block) + start)
        self._next_row = stop
        return self._count - before

    def _matching(self, block: Block) -> NDArray[np.int64]:
        """The places in a block whose records fulfil every condition."""
        if not self._conditions:
            return np.arange(len(block))
        mask = self._conditions[0].mask(block)
        for condition in self._conditions[1:]:
            if not mask.any():
                break
            mask &= condition.mask(block)
        return np.flatnonzero(mask)

    def _take(self, rows: NDArray[np.int64]) -> None:
        needed = self._count + len(rows)
        if needed > len(self._buffer):
            # Doubling: a result that grows tick by tick must not be copied at each.
            grown = np.empty(max(needed, 2 * len(self._buffer), 1_024), np.int64)
            grown[: self._count] = self._buffer[: self._count]
            self._buffer = grown
        self._buffer[self._count : needed] = rows
        self._count = needed
