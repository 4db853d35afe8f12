"""Fits the columns of a table into the room there is, so that what counts is not cut off at the right."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, Slot
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QTableView


class ColumnWidths(QObject):
    """Gives columns the widths they are to have and, where the table is narrow, less.

    Once the user has dragged one they all stay as they are.

    Args:
        table: The table; its last column takes what is left.
        widths: What each column is to have.
        least: How little those get along with that can give way, in the order in which they do. With nothing
            a column is hidden before it is less than half as wide as it is to be.
    """

    def __init__(self, table: QTableView, widths: Mapping[int, int], least: Mapping[int, int]) -> None:
        super().__init__(table)
        self._table = table
        self._widths = dict(widths)
        self._least = dict(least)
        self._is_fitting = self._is_dragged = False
        table.viewport().installEventFilter(self)
        table.horizontalHeader().sectionResized.connect(self._notice_drag)
        self.fit()

    def require(self, column: int, text: str, metrics: QFontMetrics, padding: int) -> None:
        """See to it that a column has room for a text from now on."""
        width = metrics.horizontalAdvance(text) + padding
        if width > self._least.get(column, self._widths[column]):
            self._widths[column] = max(width, self._widths[column])
            if column in self._least:
                self._least[column] = width
            self.fit()

    def fit(self) -> None:
        """Give the columns their widths in the room there is now."""
        if self._is_fitting or self._is_dragged:
            return
        self._is_fitting = True
        for column, width in self._fitted().items():
            self._table.setColumnHidden(column, not width)
            if width:
                self._table.setColumnWidth(column, width)
        self._is_fitting = False

    def _fitted(self) -> dict[int, int]:
        fitted = dict(self._widths)
        lack = sum(fitted.values()) - self._table.viewport().width()
        for column, least in self._least.items():
            cut = min(max(lack, 0), fitted[column] - least)
            if not least and cut > fitted[column] / 2:
                cut = fitted[column]
            fitted[column] -= cut
            lack -= cut
        return fitted

    @Slot(int, int, int)
    def _notice_drag(self, column: int, _before: int, _now: int) -> None:
        is_last = column == self._table.horizontalHeader().count() - 1
        if not self._is_fitting and not is_last:
            self._is_dragged = True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize:
            self.fit()
        return False
