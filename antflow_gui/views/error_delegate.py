"""Draws one group of failures: a large count, what it was, where and how much of it, and when."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from antflow_core.units import format_count
from antflow_gui.models.errors import GROUP_ROLE, ErrorGroup, ErrorsModel
from antflow_gui.theme import Theme, blend, ui_font

_HEIGHT = 52
_PADDING = 12
_GAP = 14
_COUNT_WIDTH = 36
_BARS_HEIGHT = 24
_NARROWEST_BARS, _WIDEST_BARS = 40, 88
_WORDS_WIDTH = 270
_LONGEST = 400
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ErrorDelegate(QStyledItemDelegate):
    """Paints the rows of an `ErrorsModel`.

    Args:
        model: Whose rows they are.
        theme: Colours.
        parent: The list.
    """

    def __init__(self, model: ErrorsModel, theme: Theme, parent: QListView) -> None:
        super().__init__(parent)
        self._model = model
        self._theme = theme
        self._list = parent
        self._count_font = ui_font(20, 600)
        self._type_font = ui_font(13, 600)
        self._message_font = ui_font(13)
        self._detail_font = ui_font(12)
        theme.changed.connect(self._repaint)

    @Slot()
    def _repaint(self) -> None:
        self._list.viewport().update()

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        group: ErrorGroup = index.data(GROUP_ROLE)
        rect: QRect = option.rect
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, self._theme.color("selection"))
        left = rect.left() + _PADDING
        right = rect.right() - _PADDING
        left = self._paint_count(painter, group, left, rect)
        bars = min(_WIDEST_BARS, right - left - _GAP - _WORDS_WIDTH)
        if bars >= _NARROWEST_BARS:
            right -= bars
            self._paint_bars(
                painter, group, QRectF(right, rect.center().y() - _BARS_HEIGHT / 2, bars, _BARS_HEIGHT)
            )
            right -= _GAP
        self._paint_words(painter, group, QRect(left, rect.top() + 6, right - left, rect.height() - 12))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(200, _HEIGHT)

    def _paint_count(self, painter: QPainter, group: ErrorGroup, left: int, rect: QRect) -> int:
        """Right-aligned under the largest number, so that all groups' words begin in one line."""
        metrics = QFontMetrics(self._count_font)
        largest = self._model.groups[0].count
        width = max(_COUNT_WIDTH, metrics.horizontalAdvance("0" * len(format_count(largest))))
        painter.setFont(self._count_font)
        painter.setPen(self._theme.status_color("failed"))
        painter.drawText(QRect(left, rect.top(), width, rect.height()), _RIGHT, format_count(group.count))
        return left + width + _GAP

    def _paint_words(self, painter: QPainter, group: ErrorGroup, rect: QRect) -> None:
        upper = QRect(rect.left(), rect.top(), rect.width(), rect.height() // 2)
        lower = upper.translated(0, rect.height() // 2)
        used = self._draw(painter, self._type_font, "text", group.type_name, upper)
        message = " ".join(group.message[:_LONGEST].split())
        self._draw(painter, self._message_font, "text", message, upper.adjusted(used + 6, 0, 0, 0))
        self._draw(painter, self._detail_font, "text_secondary", self._model.detail(group), lower)

    def _draw(self, painter: QPainter, font: QFont, role: str, text: str, rect: QRect) -> int:
        """Draw one line, elided; returns the width it took."""
        metrics = QFontMetrics(font)
        painter.setFont(font)
        painter.setPen(self._theme.color(role))
        painter.drawText(rect, _LEFT, metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width()))
        return min(metrics.horizontalAdvance(text), rect.width())

    def _paint_bars(self, painter: QPainter, group: ErrorGroup, rect: QRectF) -> None:
        """Failures by time, from the run's start at the left to now; a dash where there was none."""
        count = self._model.used_bars()
        step = rect.width() / count
        width = max(2.0, step - 2)
        tallest = max(group.bars)
        failed = self._theme.status_color("failed")
        none = blend(self._theme.color("surface"), self._theme.color("text_tertiary"), 0.4)
        for number, failures in enumerate(group.bars[:count]):
            height = max(3.0, rect.height() * failures / tallest) if failures else 1.0
            bar = QRectF(rect.left() + number * step, rect.bottom() - height, width, height)
            painter.fillRect(bar, failed if failures else none)
