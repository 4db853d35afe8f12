"""Tells a row the user chose from one that Qt made current because its view got the keyboard."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView


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

    @Slot()
    def _look(self, *_: object) -> None:
        current = self._view.currentIndex()
        if self._view.selectionModel().isSelected(current) and self._told != current:
            self._told = QPersistentModelIndex(current)
            self.chosen.emit(current)
