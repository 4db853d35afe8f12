"""A small curve without axes: the last samples of one number, the newest at the right."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

SAMPLES = 80
_HEIGHT = 30
_GROUND_SHARE = 0.13


class Sparkline(QWidget):
    """Keeps and draws the last samples, scaled so that the largest of them touches the top."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._samples: deque[float] = deque(maxlen=SAMPLES)
        self._color = QColor()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Rate lately")

    def __len__(self) -> int:
        return len(self._samples)

    def set_color(self, color: QColor) -> None:
        """Draw in this colour."""
        self._color = color
        self.update()

    def append(self, value: float) -> None:
        """Add the newest sample."""
        self._samples.append(value)
        self.update()

    def show_whole(self, values: Sequence[float]) -> None:
        """Show the course of something that is over in the place of the samples; `SAMPLES` fill the width."""
        self._samples.clear()
        self._samples.extend(values)
        self.update()

    def clear(self) -> None:
        """Forget the samples."""
        if self._samples:
            self._samples.clear()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(24, _HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if len(self._samples) < 2:
            return
        painter = QPainter(self)
        points = self._points()
        base = self.height() - 1.0
        ground = QColor(self._color)
        ground.setAlphaF(_GROUND_SHARE)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        ends = QPointF(points[0].x(), base), QPointF(points[-1].x(), base)
        painter.drawPolygon(QPolygonF([ends[0], *points, ends[1]]))
        # Only the line is smoothed: that of the ground would cost ten times as much and not be seen.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._color, 1))
        painter.drawPolyline(points)

    def _points(self) -> list[QPointF]:
        """The curve in pixels, right-aligned, with a fixed step: a young curve does not stretch."""
        step = self.width() / (SAMPLES - 1)
        left = self.width() - step * (len(self._samples) - 1)
        room = self.height() - 3.0
        top = max(self._samples) or 1.0
        return [
            QPointF(left + step * place, 1.5 + room * (1.0 - value / top))
            for place, value in enumerate(self._samples)
        ]
