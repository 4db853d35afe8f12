"""Tells a row the user chose from one that Qt made current because its view got the keyboard."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView

_TO_FIRST = frozenset(
    {int(Qt.Key.Key_Down), int(Qt.Key.Key_Up), int(Qt.Key.Key_Home), int(Qt.Key.Key_PageUp)}
)
"""Keys that choose the first row where none has been chosen yet."""


class RowChoice(QObject):
    """Watches a view whose model is set; focus alone makes a row current but never selects it.

    Args:
        view: The view; it owns this object.

    Signals:
        chosen(QModelIndex): Another row is both current and selected.
    """

    chosen = Signal(QModelIndex)

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._view = view
        self._told = QPersistentModelIndex()
        selection = view.selectionModel()
        # A click makes the row current first and then selects it, a key does both the other way round.
        selection.currentRowChanged.connect(self._look)
        selection.selectionChanged.connect(self._look)
        view.installEventFilter(self)

    @Slot()
    def _look(self, *_: object) -> None:
        current = self._view.currentIndex()
        if self._view.selectionModel().isSelected(current) and self._told != current:
            self._told = QPersistentModelIndex(current)
            self.chosen.emit(current)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and event.key() in _TO_FIRST:
            self._forget_focused_row()
        return False

    def _forget_focused_row(self) -> None:
        """Let a key come to the first row: where focus has made it current, keys go past it or stay on it."""
        selection = self._view.selectionModel()
        if not selection.hasSelection() and selection.currentIndex().row() == 0:
            selection.clearCurrentIndex()
