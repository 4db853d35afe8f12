"""A status icon with its count, in the status's colour."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from antflow_core.units import format_count, tight_count
from antflow_gui.theme import STATUS_WORDS, Theme, ui_font
from antflow_gui.views.status_icon import paint_status_icon

_ICON_PX, _GAP_PX = 12, 4
_TIGHT = "88.8M"


class StatusCount(QWidget):
    """Icon and number; as wide as the longest number it has shown since `reset`, so that nothing wobbles.

    Where it is given less room it shows fewer digits, ``41.2k``: half a number would be another number.

    Args:
        status: Which status it counts.
        theme: Where the colour comes from.
        px: Size of the number.
        digits: How many digits have room from the start.
    """

    def __init__(
        self, status: str, theme: Theme, *, px: int = 12, digits: int = 1, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._status = status
        self._theme = theme
        self._font = ui_font(px)
        self._metrics = QFontMetrics(self._font)
        self._least_digits = digits
        self._digits = digits
        self._count = 0
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._name()

    @property
    def count(self) -> int:
        """The number shown."""
        return self._count

    def set_count(self, count: int) -> None:
        """Show another number."""
        if count == self._count:
            return
        self._count = count
        if len(str(count)) > self._digits:
            self._digits = len(str(count))
            self.updateGeometry()
        self._name()
        self.update()

    def reset(self) -> None:
        """Give back the room that a longer number took, for another run."""
        self._digits = self._least_digits
        self.set_count(0)
        self.updateGeometry()

    def _name(self) -> None:
        words = f"{format_count(self._count)} {STATUS_WORDS.get(self._status, self._status)}"
        self.setAccessibleName(words)
        self.setToolTip(words)

    @property
    def shown(self) -> str:
        """The number as there is room for it."""
        room = self.width() - _ICON_PX - _GAP_PX
        whole, tight = format_count(self._count), tight_count(self._count)
        if self._metrics.horizontalAdvance(whole) <= room:
            return whole
        return self._metrics.elidedText(tight, Qt.TextElideMode.ElideRight, room)

    def _size(self, widest: str) -> QSize:
        return QSize(_ICON_PX + _GAP_PX + self._metrics.horizontalAdvance(widest) + 1, self._metrics.height())

    def sizeHint(self) -> QSize:
        return self._size(format_count(int("8" * self._digits)))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint().boundedTo(self._size(_TIGHT))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        color = self._theme.status_color(self._status)
        icon = QRectF(0, (self.height() - _ICON_PX) / 2, _ICON_PX, _ICON_PX)
        paint_status_icon(painter, icon, self._status, color)
        painter.setFont(self._font)
        painter.setPen(color)
        left = _ICON_PX + _GAP_PX
        painter.drawText(
            QRectF(left, 0, self.width() - left, self.height()),
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
            self.shown,
        )
