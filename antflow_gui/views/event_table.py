"""The event table itself: fixed rows, selection by row, the whole selection to the clipboard."""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionRange, Qt, Signal, Slot
from PySide6.QtGui import QFontMetrics, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableView, QWidget

from antflow_gui.models.events import ERROR, ITEM, STAGE, STATUS, TIME, TOOK, TRY, WORKER, EventsModel
from antflow_gui.theme import Theme, mono_font
from antflow_gui.views.column_widths import ColumnWidths
from antflow_gui.views.event_delegate import ROW_HEIGHT, EventDelegate
from antflow_gui.views.follow_tail import FollowTail

COPY_LIMIT = 10_000
_WIDTHS = {TIME: 76, ITEM: 190, STAGE: 88, STATUS: 112, WORKER: 104, TRY: 44, TOOK: 80, ERROR: 120}
_LEAST = {WORKER: 84, ITEM: 140, TIME: 60, STATUS: 104, STAGE: 68, TOOK: 68, TRY: 40, ERROR: 80}
_MINIMUM_WIDTH = 40
_TIME_PADDING = 17
_MOVES = frozenset(
    {
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
    }
)


class EventTable(QTableView):
    """Shows an `EventsModel`; nothing in it costs more with more rows.

    Args:
        model: The events.
        theme: Colours.
        parent: Owner.

    Signals:
        rows_copied(int, int): Rows put on the clipboard, rows selected.
    """

    rows_copied = Signal(int, int)

    def __init__(self, model: EventsModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._events = model
        self.setModel(model)
        self.setItemDelegate(EventDelegate(model, theme, self))
        self.tail = FollowTail(self)
        self.setAccessibleName("Events")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._fix_sections()

    def _fix_sections(self) -> None:
        """Fixed heights and remembered widths: Qt must never measure rows to lay them out."""
        rows = self.verticalHeader()
        rows.hide()
        rows.setMinimumSectionSize(ROW_HEIGHT)
        rows.setDefaultSectionSize(ROW_HEIGHT)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns = self.horizontalHeader()
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        columns.setMinimumSectionSize(_MINIMUM_WIDTH)
        columns.setStretchLastSection(True)
        # By sheet: a font set on a header is lost when the application wears another theme.
        columns.setStyleSheet("QHeaderView::section { font-size: 12px; }")
        columns.setHighlightSections(False)
        columns.setSectionsClickable(False)
        self._widths = ColumnWidths(self, _WIDTHS, _LEAST)
        self._events.modelReset.connect(self._make_room_for_time)
        self._events.rowsInserted.connect(self._make_room_for_time)

    @Slot()
    def _make_room_for_time(self) -> None:
        """The newest time is the longest one."""
        last = self._events.rowCount() - 1
        if last >= 0:
            newest = self._events.cells(last).texts[TIME]
            self._widths.require(TIME, newest, QFontMetrics(mono_font(12)), _TIME_PADDING)

    def selected_rows(self) -> list[int]:
        """The selected rows in order, at most `COPY_LIMIT`; ranges are read, not an index a row."""
        rows: list[int] = []
        for span in sorted(self._selected_spans(), key=QItemSelectionRange.top):
            rows += range(span.top(), min(span.bottom() + 1, span.top() + COPY_LIMIT - len(rows)))
        return rows

    def selected_count(self) -> int:
        """How many rows are selected."""
        return sum(span.height() for span in self._selected_spans())

    def _selected_spans(self) -> list[QItemSelectionRange]:
        selection = self.selectionModel().selection()
        return [selection.at(number) for number in range(selection.count())]

    def copy_rows(self) -> None:
        """Put the selected rows on the clipboard, with the column names, tab-separated."""
        rows = self.selected_rows()
        if rows:
            QGuiApplication.clipboard().setText(self._events.row_text(rows))
            self.rows_copied.emit(len(rows), self.selected_count())

    def show_row(self, row: int) -> None:
        """Select a row and scroll to it."""
        self.setCurrentIndex(self._events.index(row, ITEM))

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        super().scrollContentsBy(dx, dy)
        # Qt moves what is painted; of a row that is half out now nothing is to be left.
        self.viewport().update(0, 0, self.viewport().width(), ROW_HEIGHT)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_rows()
            return
        super().keyPressEvent(event)
        if event.key() in _MOVES:
            self.tail.set_following(self.currentIndex().row() == self._events.rowCount() - 1)
