"""A thin bar of parts, each in the colour of a status, on the ground of what is still to come."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from antflow_gui.theme import Theme

_HEIGHT = 8
_LEAST_PART_PX = 1.5
"""A part that is not zero is never drawn thinner: one failure among a million has to be seen."""


class PartsBar(QWidget):
    """Shares of a whole, from the left.

    Args:
        theme: Where the colours come from.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._parts: tuple[tuple[str, int], ...] = ()
        self._whole: int | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_parts(self, parts: Sequence[tuple[str, int]], whole: int | None) -> None:
        """Show (status, count) pairs of a whole; None where nobody knows it: the bar then claims nothing."""
        wanted = tuple(parts)
        if wanted != self._parts or whole != self._whole:
            self._parts, self._whole = wanted, whole
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(80, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(24, _HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QRectF(0, (self.height() - _HEIGHT) / 2, self.width(), _HEIGHT)
        path = QPainterPath()
        path.addRoundedRect(ground, _HEIGHT / 2, _HEIGHT / 2)
        painter.fillPath(path, self._theme.color("raised"))
        if not self._whole:
            return
        painter.setClipPath(path)
        left = 0.0
        for status, count in self._parts:
            if count <= 0:
                continue
            width = max(_LEAST_PART_PX, ground.width() * count / self._whole)
            rect = QRectF(left, ground.top(), width, _HEIGHT)
            painter.fillRect(rect, self._theme.status_color(status))
            left += width
