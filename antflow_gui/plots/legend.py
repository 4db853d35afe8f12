"""The names of a plot's curves with their colours, in its title line."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from antflow_gui.theme import Theme, ui_font

_DASH_PX, _DASH_GAP_PX, _ENTRY_GAP_PX = 8, 4, 12
_LONGEST_NAME_PX = 160


class CurveLegend(QWidget):
    """Right-aligned entries; what does not fit is counted at the end, and named in the tooltip.

    Args:
        theme: Where the colour of the names comes from.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._font = ui_font(12)
        self._metrics = QFontMetrics(self._font)
        self._entries: tuple[tuple[str, QColor], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Legend")

    def set_entries(self, entries: Sequence[tuple[str, QColor]]) -> None:
        """Name these curves, (name, colour) each."""
        self._entries = tuple((self._shortened(name), color) for name, color in entries)
        words = ", ".join(name for name, _ in entries)
        self.setToolTip(words)
        self.setAccessibleDescription(words)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, self._metrics.height())

    def _shortened(self, name: str) -> str:
        """A name that leaves room for others."""
        return self._metrics.elidedText(" ".join(name.split()), Qt.TextElideMode.ElideRight, _LONGEST_NAME_PX)

    def _width_of(self, name: str) -> int:
        return _DASH_PX + _DASH_GAP_PX + self._metrics.horizontalAdvance(name)

    def _fitting(self) -> tuple[int, str]:
        """How many entries have room, and the words for the rest."""
        for shown in range(len(self._entries), 0, -1):
            rest = f"+{len(self._entries) - shown}" if shown < len(self._entries) else ""
            names = sum(self._width_of(name) + _ENTRY_GAP_PX for name, _ in self._entries[:shown])
            if names + self._metrics.horizontalAdvance(rest) <= self.width() + _ENTRY_GAP_PX:
                return shown, rest
        return 0, ""

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._font)
        shown, rest = self._fitting()
        right = float(self.width())
        if rest:
            right = self._paint_words(painter, right, rest)
        middle = self.height() / 2 + 0.5
        for name, color in reversed(self._entries[:shown]):
            left = self._paint_words(painter, right, name) + _ENTRY_GAP_PX - _DASH_GAP_PX
            painter.setPen(QPen(color, 2))
            painter.drawLine(QPointF(left - _DASH_PX, middle), QPointF(left, middle))
            right = left - _DASH_PX - _ENTRY_GAP_PX

    def _paint_words(self, painter: QPainter, right: float, words: str) -> float:
        """Paint words that end at `right`; where the next entry to the left has to end."""
        width = self._metrics.horizontalAdvance(words)
        painter.setPen(self._theme.color("text_secondary"))
        place = QRectF(right - width, 0, width + 1, self.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)
        return right - width - _ENTRY_GAP_PX
