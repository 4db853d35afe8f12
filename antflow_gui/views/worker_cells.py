"""A cell for each worker of a stage, filled while it is busy; the cells of many workers merge into a bar."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from antflow_gui.theme import Theme

_CELL_PX, _GAP_PX, _LEAST_CELL_PX = 9, 2, 3


class WorkerCells(QWidget):
    """Shows how many of the workers are busy.

    Args:
        theme: Where the colours come from.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._busy = 0
        self._workers = 0
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def set_workers(self, busy: int, workers: int) -> None:
        """Show `busy` of `workers`."""
        if (busy, workers) != (self._busy, self._workers):
            self._busy, self._workers = busy, workers
            self.setAccessibleName(f"{busy} of {workers} workers busy")
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(60, _CELL_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(12, _CELL_PX)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._workers:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        step = min(_CELL_PX + _GAP_PX, (self.width() + _GAP_PX) // self._workers)
        if step - _GAP_PX < _LEAST_CELL_PX:
            self._paint_bar(painter)
        else:
            self._paint_cells(painter, step)

    def _paint_cells(self, painter: QPainter, step: int) -> None:
        busy, idle = self._theme.status_color("in_progress"), self._theme.color("raised")
        for worker in range(self._workers):
            painter.setBrush(busy if worker < self._busy else idle)
            painter.setPen(self._theme.color("border") if worker >= self._busy else busy)
            cell = QRectF(worker * step + 0.5, 0.5, step - _GAP_PX - 1, _CELL_PX - 1)
            painter.drawRoundedRect(cell, 1.5, 1.5)

    def _paint_bar(self, painter: QPainter) -> None:
        """One bar for all: cells would be thinner than can be told apart."""
        ground = QRectF(0.5, 0.5, self.width() - 1, _CELL_PX - 1)
        painter.setPen(self._theme.color("border"))
        painter.setBrush(self._theme.color("raised"))
        painter.drawRoundedRect(ground, 2, 2)
        ground.setWidth(ground.width() * min(self._busy, self._workers) / self._workers)
        busy = self._theme.status_color("in_progress")
        painter.setPen(busy)
        painter.setBrush(busy)
        if self._busy:
            painter.drawRoundedRect(ground, 2, 2)
