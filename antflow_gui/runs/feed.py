"""Says once a tick that a log has new rows: a burst costs the views one update."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from antflow_core.history.event_log import EventLog


class HistoryFeed(QObject):
    """Follows one log at a time; nothing is emitted while nothing is new.

    It asks the log at each tick and does not subscribe: announcements come once a turn of the loop, which is
    thousands of times between two ticks.

    Signals:
        rows_arrived: The log has new rows since the last time.
    """

    rows_arrived = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._log: EventLog | None = None
        self._seen_to = 0

    def follow(self, log: EventLog | None) -> None:
        """Look at another log, or at none; what is in it already is not news."""
        self._log = log
        self._seen_to = log.next_row if log is not None else 0

    @Slot()
    def deliver(self) -> None:
        """Say whether there are rows that were not there the last time."""
        if self._log is not None and self._log.next_row != self._seen_to:
            self._seen_to = self._log.next_row
            self.rows_arrived.emit()
