"""Searching the log: a query in, the rows that match out, kept up to date by looking at new rows only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from math import inf

import numpy as np
from numpy.typing import NDArray

from antflow_core.history.answers import event_at
from antflow_core.history.event_log import EventLog
from antflow_core.history.storage import CHUNK_BITS
from antflow_core.search.blocks import Block, Records
from antflow_core.search.compiler import Query, status_rows
from antflow_core.search.conditions import Viewpoint
from antflow_core.search.query import FIELDS, Field, parse, quote, unquote
from antflow_core.search.row_set import Piece, RowSet
from antflow_core.search.tree import Interval, Node, terms_of
from antflow_core.types import StatusEvent, TaskEvent

__all__ = ["FIELDS", "Field", "SearchResult", "quote", "search", "unquote"]


def search(
    log: EventLog, query: str = "", *, status_rows_only: bool = False, zone: tzinfo | None = None
) -> SearchResult:
    """The events of a log that match a query; `antflow_core.search.query` describes the language.

    Args:
        query: Empty for every event.
        status_rows_only: Leave task events out whatever the query says.
        zone: Where the viewer's clock hangs, for times of day and dates; None for the machine's zone.

    Raises:
        QueryError: The query is faulty, or a regular expression in it took too long.
    """
    node = parse(query)
    return SearchResult(log, status_rows(node) if status_rows_only else node, zone)


class SearchResult:
    """The rows of a log that match a query, as of the last `update`.

    Iterating gives the events that the log still holds. Rows are kept as a bit for every event, and become
    numbers when they are asked for.
    """

    def __init__(self, log: EventLog, query: Node, zone: tzinfo | None) -> None:
        self._log = log
        self._viewpoint = Viewpoint(log, zone)
        self._query = Query(log, query, self._viewpoint)
        self._ages_s = _ages_s(query)
        self._rows = RowSet()
        self._next_row = log.first_row
        self._judged_from = self._viewpoint.newest
        self._spans: dict[int, tuple[float, float]] = {}  # by chunk, where there are ages
        self.update()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[StatusEvent | TaskEvent]:
        for row in self.rows.tolist():
            if row >= self._log.first_row:
                yield event_at(self._log, row)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The absolute rows in ascending order, read-only; an array once handed out never changes."""
        return self._rows.all_rows()

    @property
    def dropped(self) -> int:
        """How many rows have left at the beginning since the search was made.

        They leave with the oldest events of a limited log, and as time goes on under ``last:``. Where a query
        makes rows come or go in between, all rows count as having left, and all there are as new.
        """
        return self._rows.dropped

    def page(self, first: int, stop: int) -> NDArray[np.int64]:
        """The rows from one place in the result to another, without making the numbers of all."""
        return self._rows.rows(first, stop)

    def position(self, row: int) -> int | None:
        """The place of a row of the log in the result, None where the query leaves it out."""
        return self._rows.position(row)

    def update(self) -> int:
        """Look at the rows that came since, and return how many there are more at the end.

        Rows may leave at the beginning meanwhile: see `dropped`.

        Raises:
            QueryError: A regular expression in the query took too long; no new rows are taken in.
        """
        rows, log, stop = self._rows, self._log, self._log.next_row
        end_before = rows.dropped + len(rows)
        rows.drop_before(log.first_row)
        first = max(self._next_row, log.first_row)
        if first < stop:
            self._follow(first, stop)
            for start, records in log.blocks(first, stop):
                rows.append(self._found(start, records))
            self._next_row = stop
        return rows.dropped + len(rows) - end_before

    def _follow(self, first: int, stop: int) -> None:
        """Be ready for new rows, and judge those again that they make too old for ``last:``."""
        if self._ages_s:
            self._note_times(first, stop)
        self._query.follow()
        if self._viewpoint.newest > self._judged_from:
            self._rows.replace(
                {
                    number: self._found(piece.start, self._log.columns(piece.start, piece.stop))
                    for number, piece in enumerate(self._rows.pieces)
                    if self._may_age(piece)
                }
            )
            self._judged_from = self._viewpoint.newest

    def _note_times(self, first: int, stop: int) -> None:
        """Keep up between which moments the events of each chunk lie, and when the newest was."""
        for start, block in self._log.blocks(first, stop):
            chunk, span = start >> CHUNK_BITS, self._log.time_span(start)
            if span is None:  # the chunk is being filled
                earliest, latest = self._spans.get(chunk, (inf, -inf))
                times = block["time"]
                span = min(earliest, float(times.min())), max(latest, float(times.max()))
            self._spans[chunk] = span
            self._viewpoint.newest = max(self._viewpoint.newest, span[1])
        for chunk in [chunk for chunk in self._spans if chunk < self._log.first_row >> CHUNK_BITS]:
            del self._spans[chunk]

    def _may_age(self, piece: Piece) -> bool:
        """Whether an event of a piece may have become too old since the last look."""
        earliest, latest = self._spans[piece.start >> CHUNK_BITS]
        before, now = self._judged_from, self._viewpoint.newest
        return any(latest >= before - age_s and earliest < now - age_s for age_s in self._ages_s)

    def _found(self, start: int, records: Records) -> Piece:
        """What the query finds in records that follow one another, all in one chunk."""
        found = self._query.mask(Block(self._log, start, records))
        return Piece.of(start, start + len(records), found)


def _ages_s(query: Node) -> list[float]:
    """The seconds that each ``last:`` of a query looks back."""
    meanings = (meaning for term in terms_of(query) if term.field == "last" for meaning in term.meanings)
    return [-meaning.low for meaning in meanings if isinstance(meaning, Interval)]
