"""A status icon that stands alone: beside a state, a recent run, a message."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from antflow_gui.theme import Theme
from antflow_gui.views.status_icon import paint_status_icon


class IconLabel(QWidget):
    """Paints one icon in a colour of the theme; words beside it must say the same.

    Args:
        theme: Where the colour comes from.
        size_px: Side of the square.
    """

    def __init__(self, theme: Theme, size_px: int = 14, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon = "queued"
        self._role = "text_secondary"
        self.setFixedSize(size_px, size_px)

    def set_icon(self, icon: str, role: str) -> None:
        """Show another icon, in the colour of a role or a status."""
        if (icon, role) != (self._icon, self._role):
            self._icon, self._role = icon, role
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_status_icon(painter, QRectF(self.rect()), self._icon, self._theme.color(self._role))
