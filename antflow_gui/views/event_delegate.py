"""Draws the event table's cells: mono ids, quiet numbers, a status as icon and word in its colour."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFontMetrics, QHelpEvent, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QToolTip

from antflow_gui.models.events import (
    ERROR,
    ITEM,
    RIGHT_ALIGNED,
    STAGE,
    STATUS,
    TIME,
    WORKER,
    EventCells,
    EventsModel,
)
from antflow_gui.models.script_text import plain_tip, shown_name
from antflow_gui.theme import STATUS_WORDS, Theme, mono_font, ui_font
from antflow_gui.views.status_icon import status_pixmap

Index = QModelIndex | QPersistentModelIndex

ROW_HEIGHT = 24
_PADDING = 8
_ICON = 12
_ICON_GAP = 6
_FONT_PX = 12
# A message may be thousands of characters long; no cell is wide enough to show more than these.
_LONGEST = 400
_MONO = frozenset({TIME, ITEM, WORKER})
_TEXT_COLOURED = frozenset({ITEM, STAGE})

# Looked up once: an enum costs microseconds each time, and there are hundreds of cells.
_SELECTED = QStyle.StateFlag.State_Selected
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)
_ELIDE_RIGHT = Qt.TextElideMode.ElideRight
_ELIDE_MIDDLE = Qt.TextElideMode.ElideMiddle


class EventDelegate(QStyledItemDelegate):
    """Paints straight from the model's page cache: one call a cell instead of one a role.

    Args:
        model: Whose cells are drawn.
        theme: Colours.
        parent: Owner.
    """

    def __init__(self, model: EventsModel, theme: Theme, parent: QAbstractItemView) -> None:
        super().__init__(parent)
        self._model = model
        self._theme = theme
        self._view = parent
        self._fonts = [
            mono_font(_FONT_PX) if column in _MONO else ui_font(_FONT_PX) for column in range(ERROR + 1)
        ]
        self._metrics = [QFontMetrics(font) for font in self._fonts]
        self._colors: dict[str, QColor] = {}
        self._icons: dict[tuple[str, float], QPixmap] = {}
        theme.changed.connect(self.forget_colors)

    @Slot()
    def forget_colors(self) -> None:
        """Look colours up again at the next paint."""
        self._colors.clear()
        self._icons.clear()
        self._view.viewport().update()

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        column = index.column()
        cells = self._model.cells(index.row())
        rect: QRect = option.rect
        if rect.top() < 0:
            return  # at its end the table has half a row at the top, which looks like a fault
        if option.state & _SELECTED:
            painter.fillRect(rect, self._color("selection"))
        text = cells.texts[column]
        if cells.item < 0 or (not text and column != ITEM):
            return
        left, width = rect.left() + _PADDING, rect.width() - 2 * _PADDING
        if column == STATUS and cells.status in STATUS_WORDS:  # a task event has no status
            self._paint_icon(painter, cells.status, rect)
            left, width = left + _ICON + _ICON_GAP, width - _ICON - _ICON_GAP
        painter.setFont(self._fonts[column])
        painter.setPen(self._text_color(cells, column))
        painter.drawText(
            left,
            rect.top(),
            width,
            rect.height(),
            _RIGHT if column in RIGHT_ALIGNED else _LEFT,
            self._elided(text, column, width),
        )

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(_PADDING * 2, ROW_HEIGHT)

    def helpEvent(
        self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        """A tooltip shows what the cell had to cut, and nothing where all of it can be read."""
        if event.type() != QEvent.Type.ToolTip or not index.isValid():
            return super().helpEvent(event, view, option, index)
        column = index.column()
        text = self._model.cells(index.row()).texts[column]
        room: int = option.rect.width() - 2 * _PADDING
        if self._elided(text, column, room) == text:
            QToolTip.hideText()
        else:
            QToolTip.showText(event.globalPos(), plain_tip(text), view)
        return True

    def _elided(self, text: str, column: int, width: int) -> str:
        metrics = self._metrics[column]
        if column == ITEM:
            text = shown_name(text)
        elif len(text) > _LONGEST:
            text = text[:_LONGEST] + "…"
        if "\n" in text:
            text = text.replace("\n", " ")
        if metrics.horizontalAdvance(text) <= width:
            return text
        return metrics.elidedText(text, _ELIDE_MIDDLE if column == ITEM else _ELIDE_RIGHT, width)

    def _paint_icon(self, painter: QPainter, status: str, rect: QRect) -> None:
        ratio = painter.device().devicePixelRatioF()
        pixmap = self._icons.get((status, ratio))
        if pixmap is None:
            pixmap = status_pixmap(status, _ICON, self._color(status), ratio)
            self._icons[status, ratio] = pixmap
        painter.drawPixmap(rect.left() + _PADDING, rect.center().y() - _ICON // 2 + 1, pixmap)

    def _text_color(self, cells: EventCells, column: int) -> QColor:
        has_status = cells.status in STATUS_WORDS
        if has_status and (column == STATUS or (column == ERROR and cells.status == "failed")):
            return self._color(cells.status)
        return self._color("text" if column in _TEXT_COLOURED else "text_secondary")

    def _color(self, name: str) -> QColor:
        """A role's or a status' colour."""
        color = self._colors.get(name)
        if color is None:
            theme = self._theme
            color = theme.status_color(name) if name in theme.palette.statuses else theme.color(name)
            self._colors[name] = color
        return color
