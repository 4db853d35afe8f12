"""The quiet words in the middle of a panel that has nothing to show: what will appear, and how to get it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

_MARGIN = 16


class EmptyNote(QWidget):
    """Words, and perhaps one link, centred over another widget.

    Args:
        over: The widget it lies on and moves with.

    Signals:
        link_clicked: The link was pressed.
    """

    link_clicked = Signal()

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self.label = QLabel()
        self.label.setProperty("kind", "secondary")
        self.label.setTextFormat(Qt.TextFormat.PlainText)  # a query in it may look like markup
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.label.setWordWrap(True)
        self.link = QPushButton()
        self.link.setProperty("kind", "link")
        self.link.setCursor(Qt.CursorShape.PointingHandCursor)
        self.link.clicked.connect(self.link_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        layout.setSpacing(4)
        layout.addStretch()
        layout.addWidget(self.label)
        layout.addWidget(self.link, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch()
        over.installEventFilter(self)
        self.hide()

    def show_text(self, text: str, link: str = "") -> None:
        """Show words and a link; no words: nothing."""
        self.label.setText(text)
        self.link.setText(link)
        self.link.setVisible(bool(link))
        self.setGeometry(self._over.rect())
        self.setVisible(bool(text))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._over.rect())
        return False
