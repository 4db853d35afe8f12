"""The way from one stage to the next: an arrow, and beneath it how full the queue is."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from antflow_core.units import format_count, plural
from antflow_gui.models.script_text import plain_tip
from antflow_gui.theme import Theme, ui_font

GAUGE_WIDTH = 48
_ARROW_Y, _GAUGE_Y, _NUMBER_Y = 58.0, 70.0, 80.0
_GAUGE_W, _GAUGE_H = 26.0, 6.0
_FULL_SHARE = 0.9
"""From here on a queue counts as full: whoever fills it waits most of the time."""
_THOUSANDS_FROM = 10_000


class QueueGauge(QWidget):
    """Shows the items that wait for a stage.

    Args:
        stage: The stage they wait for.
        theme: Where the colours come from.
    """

    def __init__(self, stage: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stage = stage
        self._theme = theme
        self._font = ui_font(12)
        self._queued = -1
        self._capacity: int | None = None
        self.setFixedWidth(GAUGE_WIDTH)
        self.set_queue(0, None)

    @property
    def is_full(self) -> bool:
        """Whether the queue holds about all it can."""
        return bool(self._capacity) and self._queued >= _FULL_SHARE * (self._capacity or 0)

    def set_queue(self, queued: int, capacity: int | None) -> None:
        """Show a queue; `capacity` is None for an unbounded one and 0 where there is none."""
        if (queued, capacity) == (self._queued, self._capacity):
            return
        self._queued, self._capacity = queued, capacity
        words = self._words()
        self.setAccessibleName(words)
        self.setToolTip(plain_tip(words))
        self.update()

    def _words(self) -> str:
        if self._capacity == 0:
            return f"{self._stage} takes its items straight from the stage before it"
        waiting = "items wait" if self._queued != 1 else "item waits"
        words = f"{format_count(self._queued)} {waiting} for {self._stage}"
        return f"{words}; its queue holds {plural(self._capacity, 'item')}" if self._capacity else words

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_arrow(painter)
        if self._capacity == 0:
            return
        if self._capacity is not None:
            self._paint_gauge(painter, self._queued / self._capacity)
        painter.setFont(self._font)
        painter.setPen(self._theme.color("text_secondary"))
        top = _NUMBER_Y if self._capacity is not None else _GAUGE_Y - 4
        painter.drawText(
            QRectF(0, top, self.width(), 16), Qt.AlignmentFlag.AlignCenter, _compact(self._queued)
        )

    def _paint_arrow(self, painter: QPainter) -> None:
        color = self._theme.color("text_tertiary")
        tip = self.width() - 4.0
        painter.setPen(QPen(color, 1.4))
        painter.drawLine(QPointF(4, _ARROW_Y), QPointF(tip - 6, _ARROW_Y))
        head = QPainterPath(QPointF(tip, _ARROW_Y))
        head.lineTo(tip - 7, _ARROW_Y - 4)
        head.lineTo(tip - 7, _ARROW_Y + 4)
        head.closeSubpath()
        painter.fillPath(head, color)

    def _paint_gauge(self, painter: QPainter, share: float) -> None:
        ground = QRectF((self.width() - _GAUGE_W) / 2, _GAUGE_Y, _GAUGE_W, _GAUGE_H)
        path = QPainterPath()
        path.addRoundedRect(ground, _GAUGE_H / 2, _GAUGE_H / 2)
        painter.fillPath(path, self._theme.color("border"))
        painter.setClipPath(path)
        color = self._theme.status_color("retrying" if self.is_full else "queued")
        if self._queued:
            ground.setWidth(max(2.0, _GAUGE_W * min(1.0, share)))
            painter.fillRect(ground, color)
        painter.setClipping(False)


def _compact(count: int) -> str:
    """A count in at most six characters."""
    if count < _THOUSANDS_FROM:
        return format_count(count)
    return f"{count / 1e3:.0f}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"
