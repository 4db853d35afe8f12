"""The one timer that drives every view: it asks for a refresh at a steady pace, and once more at the end."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal


class Ticker(QObject):
    """Emits `ticked` every interval while started.

    Args:
        interval_ms: Time between two ticks.
        parent: Owner.
    """

    ticked = Signal()

    def __init__(self, interval_ms: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self.ticked)

    @property
    def interval_ms(self) -> int:
        """Time between two ticks."""
        return self._timer.interval()

    def set_interval(self, interval_ms: int) -> None:
        """Change the pace; a ticker that runs goes on at the new one."""
        self._timer.setInterval(interval_ms)

    def start(self) -> None:
        """Tick from now on, the first time at once."""
        self._timer.start()
        self.ticked.emit()

    def stop(self) -> None:
        """Tick one last time, so that every view shows the end, then no more."""
        if self._timer.isActive():
            self._timer.stop()
            self.ticked.emit()
