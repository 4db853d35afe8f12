"""A row of the welcome page: a script or recorded run, how the run ended, and when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from antflow_gui.theme import Theme, ui_font
from antflow_gui.views.status_icon import paint_status_icon

_HEIGHT = 28
_SIDE_PX, _ICON_PX, _GAP_PX = 16, 12, 12
_ICONS = {
    "finished": ("completed", "completed"),
    "failed": ("failed", "failed"),
    "stopped": ("stopped", "text_secondary"),
    "broken off": ("warning", "retrying"),
    "new": ("queued", "text_tertiary"),
}


@dataclass(frozen=True, slots=True)
class RecentEntry:
    """A script or recorded run that was open before.

    Attributes:
        path: The file.
        outcome: How the run ended: ``finished``, ``failed``, ``stopped``, ``broken off``; else ``new``.
        detail: The outcome in words: ``3,068 done, 16 failed · 9.7 s``.
        when: When that was: ``today 08:14``.
    """

    path: str
    outcome: str
    detail: str
    when: str


class RecentRow(QAbstractButton):
    """A recent file as a button as wide as the list; the arrow keys go from row to row.

    Args:
        entry: What it shows.
        theme: Where the colours come from.
    """

    def __init__(self, entry: RecentEntry, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entry = entry
        self._theme = theme
        self._name_font = ui_font(13, 600)
        self._font = ui_font(12)
        self._hovered = False
        name = Path(entry.path).name
        self.setText(name)
        self.setToolTip(entry.path)
        self.setAccessibleName(f"Open {name}, {entry.detail}, {entry.when}")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(400, _HEIGHT)

    def enterEvent(self, _event: QEnterEvent) -> None:
        self._hovered = True
        self.update()

    def leaveEvent(self, _event: QEvent) -> None:
        self._hovered = False
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        elif event.key() == Qt.Key.Key_Down:
            self.focusNextChild()
        elif event.key() == Qt.Key.Key_Up:
            self.focusPreviousChild()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter)
        icon, role = _ICONS.get(self.entry.outcome, _ICONS["new"])
        top = (self.height() - _ICON_PX) / 2
        paint_status_icon(painter, QRectF(_SIDE_PX, top, _ICON_PX, _ICON_PX), icon, self._theme.color(role))
        self._paint_words(painter)

    def _paint_ground(self, painter: QPainter) -> None:
        if not (self._hovered or self.hasFocus()):
            return
        ring = self._theme.color("accent") if self.hasFocus() else self._theme.color("raised")
        painter.setPen(QPen(ring, 1))
        painter.setBrush(self._theme.color("selection" if self.isDown() else "raised"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(6.5, 0.5, -6.5, -0.5), 6, 6)

    def _paint_words(self, painter: QPainter) -> None:
        """Name, then what is known of it, both cut before they reach the date at the right."""
        left = _SIDE_PX + _ICON_PX + _GAP_PX
        metrics = QFontMetrics(self._font)
        names = QFontMetrics(self._name_font)
        when_width = metrics.horizontalAdvance(self.entry.when) + 1
        right = self.width() - _SIDE_PX - when_width
        name = names.elidedText(self.text(), Qt.TextElideMode.ElideMiddle, right - left - _GAP_PX)
        detail_left = left + names.horizontalAdvance(name) + _GAP_PX
        room = max(0, right - detail_left - _GAP_PX)
        detail = metrics.elidedText(self.entry.detail, Qt.TextElideMode.ElideRight, room)
        line = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.setFont(self._name_font)
        painter.setPen(self._theme.color("text"))
        painter.drawText(QRectF(left, 0, detail_left - left, self.height()), line, name)
        painter.setFont(self._font)
        painter.setPen(self._theme.color("text_secondary"))
        painter.drawText(QRectF(detail_left, 0, room + 1, self.height()), line, detail)
        painter.setPen(self._theme.color("text_tertiary"))
        painter.drawText(QRectF(right, 0, when_width, self.height()), line, self.entry.when)
