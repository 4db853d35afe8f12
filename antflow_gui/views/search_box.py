"""The search box: typing is taken after a short pause, Return at once, Esc clears."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from antflow_gui.theme import mono_font

_PAUSE_MS = 150
_HELP = (
    "Words are looked for in items, stages, workers, tasks and errors.\n"
    'status:failed,retrying   stage:Parse   item:"a b"   item:test/*   error:OSError   -word leaves out'
)


class SearchBox(QLineEdit):
    """A line for a query.

    Args:
        parent: Owner.

    Signals:
        query_entered(str): The text to search for changed, and typing has paused.
    """

    query_entered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._announce)
        self.setFont(mono_font(12))
        self.setPlaceholderText("Search: status:failed  stage:Parse  item:…")
        self.setAccessibleName("Search events")
        self.setToolTip(_HELP)
        self.setClearButtonEnabled(True)
        self.textEdited.connect(self._pause.start)
        self.returnPressed.connect(self._announce)

    def enter(self, text: str) -> None:
        """Put a query into the box and announce it at once."""
        self.setText(text)
        self.setCursorPosition(0)  # a query that is longer than the box shows its beginning
        self._announce()

    @Slot()
    def _announce(self) -> None:
        self._pause.stop()
        self.query_entered.emit(self.text())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.enter("")
            return
        super().keyPressEvent(event)
