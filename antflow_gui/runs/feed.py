"""Joins what a tracker announces between two ticks into one batch: a burst costs the views one update."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot

from antflow_core.history.event_log import EventLog


class HistoryFeed(QObject):
    """Subscribes to one log at a time; nothing is emitted while nothing is new.

    Signals:
        rows_arrived: The log has new rows since the last time.
    """

    rows_arrived = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._log: EventLog | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._has_news = False

    def follow(self, log: EventLog | None) -> None:
        """Listen to another log, or to none."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._log = log
        self._unsubscribe = log.subscribe(self._note) if log is not None else None
        self._has_news = False

    @Slot()
    def deliver(self) -> None:
        """Pass on what was announced since the last time, the rows of this very moment included."""
        if self._log is not None:
            self._log.flush()
        if self._has_news:
            self._has_news = False
            self.rows_arrived.emit()

    def _note(self, _rows: range) -> None:
        self._has_news = True
