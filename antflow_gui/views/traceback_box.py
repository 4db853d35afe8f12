"""A read-only, selectable box for code and tracebacks, as tall as its text up to a limit."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

from antflow_gui.theme import mono_font

_FEWEST_LINES, _MOST_LINES = 2, 24
_MARGIN = 6


class TracebackBox(QPlainTextEdit):
    """Shows text as it was written; long lines scroll sideways.

    Args:
        parent: Owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setFont(mono_font(12))
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setAccessibleName("Traceback")
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.document().setDocumentMargin(_MARGIN)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_text(self, text: str) -> None:
        """Show a text; the same one again keeps selection and scroll place."""
        text = text.rstrip()
        if text != self.toPlainText():
            self.setPlainText(text)
            self.updateGeometry()

    def lines(self) -> int:
        """How many lines there are to show."""
        return self.blockCount()

    def sizeHint(self) -> QSize:
        lines = min(max(self.lines(), _FEWEST_LINES), _MOST_LINES)
        bar = self.horizontalScrollBar().sizeHint().height()
        height = lines * self.fontMetrics().lineSpacing() + 2 * _MARGIN + bar + 4
        return QSize(200, height)

    def minimumSizeHint(self) -> QSize:
        return QSize(100, self.sizeHint().height())
