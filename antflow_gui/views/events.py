"""The Events panel: search box, filter chips and the table of events."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPoint, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QFocusEvent, QIcon, QKeyEvent, QPainter, QPen, QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from antflow_core.exceptions import QueryError
from antflow_core.history.event_log import EventLog
from antflow_core.search.doubts import doubt
from antflow_core.units import format_count, plural
from antflow_gui.models.events import LOG_ROW_ROLE, EventsModel
from antflow_gui.models.query_text import asked_statuses, toggled_status
from antflow_gui.theme import Theme, set_kind, ui_font
from antflow_gui.views.empty_note import EmptyNote
from antflow_gui.views.event_menu import EventMenu
from antflow_gui.views.event_table import EventTable
from antflow_gui.views.filter_chips import FilterChips
from antflow_gui.views.query_fault import QueryFault
from antflow_gui.views.row_choice import RowChoice
from antflow_gui.views.search_box import SearchBox
from antflow_gui.views.text_cell import TextCell

_SEARCH_WIDTH = 240
"""What is left to the search box and the margins."""
_ICON, _ICON_GAP = 12, 3
_NOTICE_MS = 3_000
_DROPPED = "Settings says how many events of a run are held at most; its recording has all of them."
_STATUS_EVENTS = "What changed an item's status; the starts and ends of tasks are found by event: and task:."
_NO_EVENTS = "Events of the run appear here: each item as it is queued, taken, retried, completed or failed."
_NONE_RECORDED = "No events were recorded."


class EventsView(QWidget):
    """Shows and filters the events; a hidden view only notes that it is stale.

    Args:
        model: The events.
        theme: Colours.
        parent: Owner.

    Signals:
        item_chosen(int): An event was selected; the item's index in the log.
        query_changed(str): Another query is in force.
    """

    item_chosen = Signal(int)
    query_changed = Signal(str)

    def __init__(self, model: EventsModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self._theme = theme
        self._stale = False
        self._choosing = True
        self._empty_words = _NO_EVENTS
        self.search_box = SearchBox(theme, model.completions)
        self.chips = FilterChips(theme)
        self.count_label = TextCell(theme, ui_font(12), "text_secondary")
        self.fault = QueryFault(theme)
        self._notice_time = QTimer(self)
        self.follow_button = QPushButton("Following")
        self.table = EventTable(model, theme)
        self.note = EmptyNote(self.table.viewport())
        self.menu = EventMenu(self.table, self)
        self._arrange()
        self._connect()
        self._show_following(True)
        self._update()

    def _arrange(self) -> None:
        filters = QHBoxLayout()
        filters.setContentsMargins(12, 12, 12, 0)
        filters.setSpacing(8)
        filters.addWidget(self.search_box, 1)
        filters.addWidget(self.chips)
        self._notice_time.setSingleShot(True)
        self._notice_time.setInterval(_NOTICE_MS)
        set_kind(self.follow_button, "link")
        self.follow_button.setCheckable(True)
        self.follow_button.setFixedWidth(self.follow_button.sizeHint().width() + _ICON + 8)
        self.follow_button.setIconSize(QSize(_ICON + _ICON_GAP, _ICON))
        facts = QHBoxLayout()
        facts.setContentsMargins(14, 4, 12, 4)
        facts.addWidget(self.count_label, 1)
        facts.addWidget(self.fault, 1)
        facts.addWidget(self.follow_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 0, 1, 1)
        layout.setSpacing(0)
        layout.addLayout(filters)
        layout.addLayout(facts)
        layout.addWidget(self.table, 1)

    def _connect(self) -> None:
        self.search_box.query_entered.connect(self._apply)
        self.fault.mended.connect(self.set_query)
        self.chips.toggled.connect(self._toggle_status)
        self.follow_button.clicked.connect(self.table.tail.set_following)
        self.table.tail.changed.connect(self._show_following)
        RowChoice(self.table).chosen.connect(self._choose)
        self.table.customContextMenuRequested.connect(self._open_menu)
        self.table.rows_copied.connect(self._show_copied)
        self.menu.item_requested.connect(self.item_chosen)
        self.menu.query_requested.connect(self.set_query)
        self.note.link_clicked.connect(self.clear_query)
        self.model.modelReset.connect(self._update)
        self.model.rowsRemoved.connect(self._stay_in_place)
        self._notice_time.timeout.connect(self._update)
        self._theme.changed.connect(self._paint_follow_icon)

    @property
    def query(self) -> str:
        """The query in force."""
        return self.model.query

    def set_history(self, log: EventLog | None) -> None:
        """Show another log, or none; the query and following stay as they are."""
        self.model.set_history(log)

    def set_recorded(self, recorded: bool) -> None:
        """Say what is to be expected while nothing is here: of a recording that was read, nothing at all."""
        self._empty_words = _NONE_RECORDED if recorded else _NO_EVENTS
        self._update()

    def set_given_up(self, count: int) -> None:
        """Say how many of the failed events are of items that were given up, and so are no failures."""
        self.chips.set_given_up(count)

    @Slot()
    def refresh(self) -> None:
        """Take in what is new; a hidden view does it when it is shown."""
        if not self.isVisible():
            self._stale = True
        elif self.model.refresh():
            self._update()
            if self.model.fault is not None and not self.fault.words:
                self._explain(self.model.fault)

    @Slot(str)
    def set_query(self, text: str) -> None:
        """Filter by a query, as if it had been typed and Return pressed."""
        self.search_box.enter(text)

    @Slot()
    def clear_query(self) -> None:
        """Show every event."""
        self.search_box.enter("")

    def focus_search(self) -> None:
        """Put the cursor into the search box, its text selected."""
        self.search_box.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search_box.selectAll()

    def follow(self) -> None:
        """Go to the newest event and stay with what comes."""
        self.table.tail.set_following(True)

    def show_end(self, at_end: bool) -> None:
        """Stay at the newest event, or begin with the first one and stay there."""
        self.table.tail.set_following(at_end)
        if not at_end:
            self.table.scrollToTop()

    @Slot(str)
    def _apply(self, text: str) -> None:
        """Put a query in force; a faulty one is explained and the old result stays."""
        before = self.query
        selected = self._selected_log_row()
        self._choosing = False
        try:
            self.model.set_query(text)
        except QueryError as error:
            skipped = len(text) - len(text.lstrip())
            if not self.search_box.holds_back(skipped + error.end):
                self._explain(error)
            self.chips.set_pressed(asked_statuses(before))
            return
        finally:
            self._choosing = True
        self._explain(None)
        if self.query == before:
            self._update()
            return
        if selected is not None:
            self._select_again(selected)
        self.query_changed.emit(self.query)

    def _selected_log_row(self) -> int | None:
        index = self.table.currentIndex()
        return index.data(LOG_ROW_ROLE) if index.isValid() else None

    def _select_again(self, log_row: int) -> None:
        """The event that was selected stays so where the new query still shows it."""
        row = self.model.row_of(log_row)
        if row is None:
            return
        self._choosing = False
        self.table.show_row(row)
        self._choosing = True

    @Slot(str)
    def _toggle_status(self, status: str) -> None:
        try:
            query = toggled_status(self.search_box.text(), status)
        except QueryError:  # what is in the box cannot be read, so what is in force is meant
            query = toggled_status(self.query, status)
        self.set_query(query)

    @Slot(QModelIndex, int, int)
    def _stay_in_place(self, _parent: QModelIndex, first: int, last: int) -> None:
        """Keep the rows that are read where they are while older ones leave above them."""
        if not self.table.tail.following:
            bar = self.table.verticalScrollBar()
            bar.setValue(bar.value() - (last - first + 1))

    @Slot()
    def _update(self) -> None:
        """Bring count, chips and the empty note in line with the model."""
        self.chips.set_counts(self.model.event_counts())
        self.chips.set_pressed(asked_statuses(self.query))
        total, shown = self.model.total_events, self.model.rowCount()
        if not self._notice_time.isActive():
            match = f" · {format_count(shown)} match" if self.query else ""
            dropped = self.model.dropped_events
            gone = f" · {format_count(dropped)} older ones dropped" if dropped else ""
            noun = "event" if self.model.shows_tasks else "status event"
            self.count_label.set_text(plural(total, noun) + match + gone)
            self.count_label.set_tip(
                _DROPPED if dropped else "" if self.model.shows_tasks else _STATUS_EVENTS
            )
        if shown:
            self.note.show_text("")
        elif self.query and total:
            self.note.show_text(f"No event matches {self.query}\n{doubt(self.query)}".rstrip(), "Clear")
        else:
            self.note.show_text(self._empty_words)

    def _explain(self, fault: QueryError | None) -> None:
        """Say in place of the counts what is wrong with the query, and underline it; None: nothing is."""
        text = self.search_box.text()
        skipped = len(text) - len(text.lstrip())
        self.fault.explain(fault, text.strip())
        self.count_label.setVisible(fault is None)
        self.search_box.setAccessibleDescription(self.fault.words)
        if fault is not None:
            self.search_box.mark(skipped + fault.position, skipped + fault.end)

    @Slot(int, int)
    def _show_copied(self, copied: int, selected: int) -> None:
        if copied < selected:
            words = f"Copied the first {format_count(copied)} of {format_count(selected)} selected rows"
        else:
            words = f"Copied {plural(copied, 'row')}"
        self.count_label.set_text(words)
        self._notice_time.start()

    @Slot(bool)
    def _show_following(self, following: bool) -> None:
        self.follow_button.setChecked(following)
        self.follow_button.setText("Following" if following else "Follow")
        self.follow_button.setToolTip(
            "The newest event stays in view; scroll up, or click, to stay where you are"
            if following
            else "Go to the newest event and stay with what comes"
        )
        self._paint_follow_icon()

    @Slot()
    def _paint_follow_icon(self) -> None:
        """An arrow down to a line, in the accent while following."""
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round((_ICON + _ICON_GAP) * ratio), round(_ICON * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.color("accent"), 1.4))
        painter.drawPolyline([QPoint(6, 1), QPoint(6, 8)])
        painter.drawPolyline([QPoint(3, 5), QPoint(6, 8), QPoint(9, 5)])
        if self.table.tail.following:
            painter.drawLine(QPoint(2, 11), QPoint(10, 11))
        painter.end()
        self.follow_button.setIcon(QIcon(pixmap))

    @Slot(QModelIndex)
    def _choose(self, current: QModelIndex) -> None:
        item = self.model.cells(current.row()).item
        if self._choosing and item >= 0:
            self.item_chosen.emit(item)

    @Slot(QPoint)
    def _open_menu(self, place: QPoint) -> None:
        index = self.table.indexAt(place)
        if not index.isValid():
            index = self.table.currentIndex()
            place = self.table.visualRect(index).center()
        cells = self.model.cells(index.row()) if index.isValid() else None
        if cells is not None and cells.item >= 0:
            self.menu.open_for(cells, self.query, self.table.viewport().mapToGlobal(place))

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.table.setFocus(event.reason())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and (self.query or self.search_box.hasFocus()):
            if self.query:
                self.clear_query()
            else:
                self.table.setFocus(Qt.FocusReason.ShortcutFocusReason)
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.chips.fit(event.size().width() - _SEARCH_WIDTH)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._stale = False
            self.refresh()
