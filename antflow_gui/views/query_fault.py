"""The line below the search box that says what is wrong with a query, and offers what was probably meant."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from antflow_core.exceptions import QueryError
from antflow_gui.theme import Theme, set_kind, ui_font
from antflow_gui.views.text_cell import TextCell

_LONGEST = 24


class QueryFault(QWidget):
    """Hidden while there is nothing wrong.

    Args:
        theme: Colours.
        parent: Owner.

    Signals:
        mended(str): The user wants the query that is offered.
    """

    mended = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mended = ""
        self.cell = TextCell(theme, ui_font(12))
        self.link = QPushButton()
        set_kind(self.link, "link")
        self.link.setCursor(Qt.CursorShape.PointingHandCursor)
        self.link.clicked.connect(self._mend)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.cell, 1)
        layout.addWidget(self.link)
        self.hide()

    @property
    def words(self) -> str:
        """What is said, all of it."""
        return self.cell.text if not self.isHidden() else ""

    def explain(self, error: QueryError | None, query: str = "") -> None:
        """Say what is wrong with a query; None: nothing is."""
        self.setVisible(error is not None)
        if error is None:
            return
        message = str(error)
        parts = (message[:1].upper() + message[1:]).split("; ")
        self.cell.set_text(*("; ".join(parts[:count]) for count in range(len(parts), 0, -1)))
        self._mended = error.mended(query) or ""
        self.link.setText(f"Use {_short(error.suggestion)}" if error.suggestion else "Remove it")
        self.link.setToolTip(self._mended)
        self.link.setVisible(error.suggestion is not None)

    @Slot()
    def _mend(self) -> None:
        self.mended.emit(self._mended)


def _short(text: str) -> str:
    return (text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…").replace("&", "&&")
