"""The event table's model: one row an event that a query finds, read from the log a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Slot

from antflow_core.exceptions import QueryError
from antflow_core.history.event_log import EventLog
from antflow_core.history.records import KINDS, STATUS_COUNT, EventRow
from antflow_core.history.storage import CHUNK_BITS
from antflow_core.search.completion import Completer, Completions
from antflow_core.search.result import SearchResult, search
from antflow_core.units import format_duration
from antflow_gui.models.query_text import asks_for_task_events
from antflow_gui.models.script_text import plain_tip

TIME, ITEM, STAGE, STATUS, WORKER, TRY, TOOK, ERROR = range(8)
COLUMN_NAMES = ("Time", "Item", "Stage", "Status", "Worker", "Try", "Took", "Error")
RIGHT_ALIGNED = frozenset({TIME, TRY, TOOK})
STATUS_KINDS = KINDS[:STATUS_COUNT]

# Plain integers: making or comparing a Qt enum costs microseconds, and a repaint asks thousands of times.
_DISPLAY = int(Qt.ItemDataRole.DisplayRole)
_TOOL_TIP = int(Qt.ItemDataRole.ToolTipRole)
_ALIGNMENT = int(Qt.ItemDataRole.TextAlignmentRole)
ITEM_ROLE = int(Qt.ItemDataRole.UserRole) + 1
STATUS_ROLE = ITEM_ROLE + 1
LOG_ROW_ROLE = ITEM_ROLE + 2
ERROR_ROLE = ITEM_ROLE + 3

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_HORIZONTAL = Qt.Orientation.Horizontal

_PREPARE_EVERY_MS = 20
_PREPARED_CHUNKS = 4
_PAGE_ROWS = 64
_PAGES_KEPT = 64
_NO_TEXTS = ("",) * len(COLUMN_NAMES)

Index = QModelIndex | QPersistentModelIndex


class EventCells(NamedTuple):
    """One row of the table, ready to be drawn; `status` is the kind of a task event too.

    Of an event that the log has dropped since the last `refresh` nothing is known: `item` is -1 then.
    """

    texts: tuple[str, ...]
    status: str
    item: int
    log_row: int
    error: int


_ANSWERS: dict[int, Callable[[EventCells, int], Any]] = {
    _DISPLAY: lambda cells, column: cells.texts[column],
    _TOOL_TIP: lambda cells, column: plain_tip(cells.texts[column]) or None,
    _ALIGNMENT: lambda cells, column: _RIGHT if column in RIGHT_ALIGNED else _LEFT,
    ITEM_ROLE: lambda cells, column: cells.item,
    STATUS_ROLE: lambda cells, column: cells.status,
    LOG_ROW_ROLE: lambda cells, column: cells.log_row,
    ERROR_ROLE: lambda cells, column: cells.error,
}


class EventsModel(QAbstractTableModel):
    """The events of a log that match a query, in order of arrival, newest last.

    They are status events, unless the query asks for task events by ``event:`` or ``task:``. The search holds
    their rows; ten million cost 1 MB and no more time than ten. Call `refresh` to take in what is new. The
    model is reset only by `set_history` and `set_query`.

    Attributes:
        fault: Why the result follows the log no longer, None where it does.
        shows_tasks: Whether task events are among those that the query chooses from.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._log: EventLog | None = None
        self._query = ""
        self.shows_tasks = False
        self._result: SearchResult | None = None
        self._completer: Completer | None = None
        self._row_count = 0
        self._pages: dict[int, list[EventCells]] = {}
        self._counts = np.zeros(len(KINDS), dtype=np.int64)
        self._chunk_counts: dict[int, NDArray[np.int64]] = {}
        self._counted_to = 0
        self.fault: QueryError | None = None
        self._preparation = QTimer(self)
        self._preparation.setInterval(_PREPARE_EVERY_MS)
        self._preparation.timeout.connect(self._prepare)

    @property
    def history(self) -> EventLog | None:
        """The log that is shown."""
        return self._log

    @property
    def query(self) -> str:
        """The query in force."""
        return self._query

    @property
    def total_events(self) -> int:
        """How many events there are that the query chooses from: status events, or all."""
        return int(self._counts[: len(KINDS) if self.shows_tasks else STATUS_COUNT].sum())

    @property
    def dropped_events(self) -> int:
        """How many events the log has let go of, because it is limited."""
        return self._log.dropped_events if self._log is not None else 0

    def event_counts(self) -> dict[str, int]:
        """How many events of each status there are, matching or not: what ``status:…`` alone would show."""
        return {kind: int(self._counts[number]) for number, kind in enumerate(STATUS_KINDS)}

    def set_history(self, log: EventLog | None) -> None:
        """Show another log, or none; the query stays in force."""
        self.beginResetModel()
        self._log = log
        self._result = self._search(log, self._query) if log is not None else None
        self._completer = Completer(log) if log is not None else None
        self._counts[:] = 0
        self._chunk_counts.clear()
        self._counted_to = log.first_row if log is not None else 0
        self._count_new_events()
        self._forget_rows()
        self.endResetModel()
        self._preparation.start()

    def set_query(self, text: str) -> None:
        """Show what matches a query.

        Raises:
            QueryError: The query is faulty; the model is left as it was.
        """
        text = text.strip()
        if text == self._query:
            return
        result = self._search(self._log if self._log is not None else EventLog(), text)
        self.beginResetModel()
        self._query = text
        self.shows_tasks = asks_for_task_events(text)
        self._result = result if self._log is not None else None
        self._forget_rows()
        self.endResetModel()

    def refresh(self) -> bool:
        """Take in what the log has gained; returns whether there was anything, matching or not."""
        log, result = self._log, self._result
        if log is None or result is None or log.next_row == self._counted_to:
            return False
        self._count_new_events()
        dropped = result.dropped
        try:
            result.update()
        except QueryError as error:
            self.fault = error
        self._remove_first(result.dropped - dropped)
        row_count = len(result)
        if row_count > self._row_count:
            self.beginInsertRows(QModelIndex(), self._row_count, row_count - 1)
            self._pages.pop(self._row_count // _PAGE_ROWS, None)
            self._row_count = row_count
            self.endInsertRows()
        self._preparation.start()
        return True

    @Slot()
    def _prepare(self) -> None:
        """Do some of what searches need at a time, so that the first one need not wait for all of it."""
        log = self._log
        is_left = log is not None and (
            log.text_index("item").prepare(log.items.first, log.item_count, segments=1)
            or log.text_index("error").prepare(0, log.error_count, segments=1)
            or log.narrow_columns.prepare(chunks=_PREPARED_CHUNKS)
        )
        if not is_left:
            self._preparation.stop()

    def completions(self, query: str, cursor: int) -> Completions:
        """What may stand at a place of a query, by what there is in the log."""
        completer = self._completer if self._completer is not None else Completer(EventLog())
        return completer.complete(query, cursor)

    def cells(self, row: int) -> EventCells:
        """A row's cells, from the page it is on."""
        number, offset = divmod(row, _PAGE_ROWS)
        page = self._pages.get(number)
        if page is None:
            page = self._load_page(number)
        return page[offset]

    def row_of(self, log_row: int) -> int | None:
        """The table's row of a row of the log, None where the query leaves it out."""
        row = self._result.position(log_row) if self._result is not None else None
        return row if row is not None and row < self._row_count else None

    def row_text(self, rows: Sequence[int]) -> str:
        """Rows as tab-separated lines under the column names, for a spreadsheet or a message."""
        lines = ["\t".join(COLUMN_NAMES)]
        lines += ["\t".join(" ".join(text.split()) for text in self.cells(row).texts) for row in rows]
        return "\n".join(lines) + "\n"

    def _search(self, log: EventLog, text: str) -> SearchResult:
        return search(log, text, status_rows_only=not asks_for_task_events(text))

    def _forget_rows(self) -> None:
        self.fault = None
        self._row_count = len(self._result) if self._result is not None else 0
        self._pages.clear()

    def _remove_first(self, count: int) -> None:
        """Take rows out that the result has lost at its beginning."""
        count = min(count, self._row_count)
        if count:
            self.beginRemoveRows(QModelIndex(), 0, count - 1)
            self._row_count -= count
            self._pages.clear()
            self.endRemoveRows()

    def _count_new_events(self) -> None:
        """Count events by kind, chunk by chunk, because the log may drop its oldest."""
        log = self._log
        if log is None:
            return
        for start, events in log.blocks(self._counted_to, log.next_row):
            new = np.bincount(events["kind"], minlength=len(KINDS))
            self._counts += new
            self._chunk_counts[start >> CHUNK_BITS] = self._chunk_counts.get(start >> CHUNK_BITS, 0) + new
        self._counted_to = log.next_row
        gone = [chunk for chunk in self._chunk_counts if chunk < log.first_row >> CHUNK_BITS]
        for chunk in gone:
            self._counts -= self._chunk_counts.pop(chunk)

    def _load_page(self, number: int) -> list[EventCells]:
        assert self._log is not None
        assert self._result is not None
        first = number * _PAGE_ROWS
        rows = self._result.page(first, min(first + _PAGE_ROWS, self._row_count))
        if len(self._pages) >= _PAGES_KEPT:
            del self._pages[next(iter(self._pages))]
        log = self._log
        gone = int(np.searchsorted(rows, log.first_row))
        page = [EventCells(_NO_TEXTS, "", -1, row, -1) for row in rows[:gone].tolist()]
        page += [self._event_cells(log, event) for event in log.page(rows[gone:].tolist())]
        self._pages[number] = page
        return page

    def _event_cells(self, log: EventLog, event: EventRow) -> EventCells:
        texts = (
            f"{event.time - log.started_at:.3f}",
            log.item_text(event.item),
            event.stage,
            event.kind.replace("_", " ") if event.is_status else f"{event.kind} · {event.task}",
            event.worker or "",
            str(event.attempt) if event.attempt else "",
            format_duration(event.duration) if event.duration is not None else "",
            _error_text(log, event.error),
        )
        return EventCells(texts, event.kind, event.item, event.row, event.error)

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else self._row_count

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(COLUMN_NAMES)

    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        answer = _ANSWERS.get(role)
        if answer is None or not index.isValid():
            return None
        return answer(self.cells(index.row()), index.column())

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _DISPLAY) -> Any:
        if orientation is not _HORIZONTAL:
            return None
        if role == _DISPLAY:
            return COLUMN_NAMES[section]
        if role == _ALIGNMENT:
            return _RIGHT if section in RIGHT_ALIGNED else _LEFT
        return None


def _error_text(log: EventLog, error: int) -> str:
    if error < 0:
        return ""
    record = log.error(error)
    return f"{record.type_name}: {record.message}" if record.message else record.type_name
