"""A label that cuts the middle out of a long name, and still gives all of it to tooltip and clipboard."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QAction, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from antflow_gui.models.script_text import plain_tip, shown_name


class ElidedLabel(QLabel):
    """One line of selectable text, elided in the middle.

    Args:
        copy_words: What the context menu calls copying all of it.
        parent: Owner.
    """

    def __init__(self, copy_words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._full_text = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        copy = QAction(copy_words, self)
        copy.triggered.connect(self.copy_full_text)
        self.addAction(copy)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    @property
    def full_text(self) -> str:
        """The text without the cut."""
        return self._full_text

    def set_full_text(self, text: str) -> None:
        """Show another text."""
        self._full_text = text
        self.setToolTip(plain_tip(text))
        self.setAccessibleName(text)
        self._elide()

    @Slot()
    def copy_full_text(self) -> None:
        """Put the whole text on the clipboard."""
        QGuiApplication.clipboard().setText(self._full_text)

    def _elide(self) -> None:
        line = shown_name(self._full_text)
        self.setText(self.fontMetrics().elidedText(line, Qt.TextElideMode.ElideMiddle, self.width()))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()
