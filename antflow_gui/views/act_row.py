"""Buttons side by side that say what they do in fewer words where there is little room."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

_GAP = 8


class ActRow(QWidget):
    """A row of buttons, of which some are hidden at times; it never makes wider what it stands in.

    Args:
        words: The buttons from left to right, each with its words and fewer of them.
        parent: Owner.
    """

    def __init__(self, words: Mapping[QPushButton, tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = dict(words)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(_GAP)
        for button, (whole, _) in self._words.items():
            button.setText(whole)
            row.addWidget(button)
        row.addStretch()

    def fit(self) -> None:
        """Choose the words by the room there is for the buttons that are shown."""
        for button, (whole, _) in self._words.items():
            button.setText(whole)
        shown = [button.sizeHint().width() + _GAP for button in self._words if not button.isHidden()]
        if sum(shown) - _GAP > self.width():
            for button, (_, few) in self._words.items():
                button.setText(few)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()
