"""The Item panel: one item's way, what went wrong, and its whole history."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from antflow_core.history.event_log import EventLog
from antflow_core.history.records import ErrorRecord
from antflow_core.run_files.run_records import StageValue
from antflow_core.units import format_duration
from antflow_gui.models.item_history import ItemHistory
from antflow_gui.models.script_text import breakable
from antflow_gui.theme import STATUS_WORDS, Theme, mono_font, set_kind, ui_font
from antflow_gui.views.act_row import ActRow
from antflow_gui.views.elided_label import ElidedLabel
from antflow_gui.views.empty_note import EmptyNote
from antflow_gui.views.item_events import ItemEventsTable
from antflow_gui.views.item_values import ItemValues
from antflow_gui.views.item_way import ItemWay
from antflow_gui.views.status_icon import status_pixmap
from antflow_gui.views.traceback_box import TracebackBox

_ICON = 12
_MARGIN = 12
_LEAST_WIDTH = 316
"""With it an item's history shows how long each step took, and the buttons fit in their few words."""
_LONGEST_HEADING = 400
_LONGEST_STAGE = 40
"""A label cannot be narrower than its longest word, and would push what is beside it out of the panel."""
ValuesOf = Callable[[int], Sequence[StageValue]]
_EMPTY = "Choose an event to see the item's whole history."
_NONE_RECORDED = "No items were recorded."


class ItemView(QWidget):
    """Everything that is known of one item.

    Args:
        theme: Colours.
        parent: Owner.

    Signals:
        report_copied(str): The report was put on the clipboard.
        retry_requested(int): The item, which failed, is to be tried again; its index in the log.
        alike_requested(str, str): So are all that failed in this stage with this type of error.
        cancel_requested(int): The item is to be given up.
    """

    report_copied = Signal(str)
    retry_requested = Signal(int)
    alike_requested = Signal(str, str)
    cancel_requested = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._history: ItemHistory | None = None
        self._values_of: ValuesOf | None = None
        self._stale = False
        self._empty_words = _EMPTY
        self.id_label = ElidedLabel("Copy item id")
        self.state_icon = QLabel()
        self.state_label = QLabel()
        self.way = ItemWay(theme)
        self.error_label = QLabel()
        self.traceback_box = TracebackBox()
        self.values = ItemValues()
        self.history_label = QLabel("History")
        self.events = ItemEventsTable(theme)
        self.retry_button, self.alike_button = QPushButton(), QPushButton()
        self.cancel_button, self.copy_button = QPushButton(), QPushButton()
        self.acts = ActRow(
            {
                self.retry_button: ("Retry item", "Retry"),
                self.alike_button: ("Retry all like this", "Retry alike"),
                self.cancel_button: ("Cancel item", "Cancel"),
                self.copy_button: ("Copy report", "Copy"),
            }
        )
        self._can_retry = self._can_cancel = False
        self.page = QWidget()
        self._scroll = QScrollArea()
        self._arrange()
        self.note = EmptyNote(self)
        self.retry_button.clicked.connect(self._request_retry)
        self.alike_button.clicked.connect(self._request_alike)
        self.cancel_button.clicked.connect(self._request_cancel)
        self.copy_button.clicked.connect(self.copy_report)
        theme.changed.connect(self._show)
        self._show()

    def _arrange(self) -> None:
        self.id_label.setFont(mono_font(15, 600))
        set_kind(self.state_label, "secondary")
        self.state_label.setTextFormat(Qt.TextFormat.RichText)
        self.state_label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        set_kind(self.history_label, "strong")
        self.error_label.setFont(ui_font(13, 600))
        self.error_label.setTextFormat(Qt.TextFormat.PlainText)
        self.error_label.setWordWrap(True)
        self.error_label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.retry_button.setToolTip("Try the item again, from the stage that failed")
        self.alike_button.setToolTip("Try all items again that failed in this stage with this type of error")
        self.cancel_button.setToolTip("Give the item up, wherever it is; the run goes on without it")
        self.copy_button.setToolTip("Copy item, stage, error and traceback as text")
        state = QHBoxLayout()
        state.setSpacing(6)
        state.addWidget(self.state_icon)
        state.addWidget(self.state_label, 1)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        layout.setSpacing(8)
        layout.addWidget(self.id_label)
        layout.addLayout(state)
        for widget in self._parts():
            layout.addWidget(widget)
        layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 1, 1, 1)
        outer.addWidget(self.page)
        self._arrange_page(content)

    def _parts(self) -> Sequence[QWidget]:
        """What is below the item's state, from top to bottom."""
        return self.way, self.error_label, self.traceback_box, self.values, self.history_label, self.events

    def _arrange_page(self, content: QWidget) -> None:
        """The content scrolls; the button below it stays."""
        scroll = self._scroll
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        scroll.setAccessibleName("Item")
        set_kind(scroll, "page")
        scroll.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(_MARGIN, 8, _MARGIN, _MARGIN)
        buttons.addWidget(self.acts)
        layout = QVBoxLayout(self.page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addLayout(buttons)

    def show_item(self, log: EventLog, item: int, values_of: ValuesOf | None = None) -> None:
        """Show another item.

        Args:
            log: Where its events are.
            item: Its index in the log.
            values_of: Tells what was recorded of its values; None where nothing can be.
        """
        self._history = ItemHistory(log, item)
        self._values_of = values_of
        self.events.rows.show_history(self._history)
        self._scroll.verticalScrollBar().setValue(0)
        self._show()

    def set_acts(self, *, can_retry: bool, can_cancel: bool) -> None:
        """Say what the run allows now: to try failed items again, to give up those under way."""
        if (can_retry, can_cancel) != (self._can_retry, self._can_cancel):
            self._can_retry, self._can_cancel = can_retry, can_cancel
            self._show_acts()

    def set_live(self, is_live: bool) -> None:
        """Say whether time goes on for items under way; not so in a recording that is over."""
        self.way.set_live(is_live)

    def set_choice(self, there_is_one: bool) -> None:
        """Say whether there is an item to choose, or will be: there is none in a recording without events."""
        self._empty_words = _EMPTY if there_is_one else _NONE_RECORDED
        self._show()

    @Slot()
    def clear(self) -> None:
        """Show no item."""
        self._history = self._values_of = None
        self.events.rows.show_history(None)
        self._show()

    @Slot()
    def refresh(self) -> None:
        """Take in what is new of this item; a hidden view does it when it is shown."""
        history = self._history
        if history is None:
            return
        if not self.isVisible():
            self._stale = True
        elif history.refresh():
            self.events.rows.update_rows()
            self._show()
        elif any(span.end_s is None for span in self.way.spans):
            self.way.show_way(history)

    @Slot()
    def _request_retry(self) -> None:
        if self._history is not None:
            self.retry_requested.emit(self._history.item)

    @Slot()
    def _request_alike(self) -> None:
        history = self._history
        if history is not None and history.last is not None and history.error is not None:
            self.alike_requested.emit(history.last.stage, history.error.type_name)

    @Slot()
    def _request_cancel(self) -> None:
        if self._history is not None:
            self.cancel_requested.emit(self._history.item)

    @Slot()
    def copy_report(self) -> None:
        """Put the item, what happened and the traceback on the clipboard."""
        if self._history is not None:
            report = self._history.report()
            QGuiApplication.clipboard().setText(report)
            self.report_copied.emit(report)

    @Slot()
    def _show(self) -> None:
        """Bring everything but the table in line with the history."""
        history = self._history
        self.page.setVisible(history is not None)
        self.note.show_text("" if history is not None else self._empty_words)
        if history is None:
            return
        self.id_label.set_full_text(history.name)
        self._show_state(history)
        self.way.show_way(history)
        self._show_error(history.error)
        self.values.show_values(self._values_of(history.item) if self._values_of is not None else ())
        self._show_acts()

    def _show_acts(self) -> None:
        last = self._history.last if self._history is not None else None
        failed = self._history is not None and self._history.has_failed
        under_way = self._history is not None and self._history.is_under_way
        self.retry_button.setVisible(failed and self._can_retry)
        self.alike_button.setVisible(failed and self._can_retry and last is not None and last.error >= 0)
        self.cancel_button.setVisible(under_way and self._can_cancel)
        self.acts.fit()

    def _show_state(self, history: ItemHistory) -> None:
        last = history.last
        if last is None:
            has_left = history.log.dropped_events > 0
            self.state_label.setText("its events are no longer held" if has_left else "no status yet")
            self.state_icon.clear()
            return
        color = self._theme.status_color(last.kind)
        self.state_icon.setPixmap(status_pixmap(last.kind, _ICON, color, self.devicePixelRatioF()))
        word = f'<span style="color: {color.name()}">{STATUS_WORDS[last.kind]}</span>'
        attempt = f", attempt {last.attempt}" if last.attempt else ""
        took = format_duration(history.took_s)
        stage = last.stage if len(last.stage) <= _LONGEST_STAGE else f"{last.stage[:_LONGEST_STAGE]}…"
        self.state_label.setText(f"{word} in {_escaped(stage)}{attempt} · {took} in all")

    def _show_error(self, error: ErrorRecord | None) -> None:
        for widget in (self.error_label, self.traceback_box):
            widget.setVisible(error is not None)
        history = self._history
        if error is None or history is None or history.last is None:
            return
        color = self._theme.status_color(history.last.kind).name()
        self.error_label.setStyleSheet(f"QLabel {{ color: {color}; }}")
        heading = f"{error.type_name}: {error.message}" if error.message else error.type_name
        self.error_label.setText(
            breakable(heading if len(heading) <= _LONGEST_HEADING else f"{heading[:_LONGEST_HEADING]}…")
        )
        self.traceback_box.show_text(error.traceback)
        self.traceback_box.setVisible(bool(error.traceback))

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.events.setFocus(event.reason())

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST_WIDTH, super().minimumSizeHint().height())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._stale = False
            self.refresh()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
