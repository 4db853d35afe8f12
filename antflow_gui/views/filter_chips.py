"""The row of filter chips: one a status, with its count, pressed while the query asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QEnterEvent, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from antflow_core.units import format_count
from antflow_gui.theme import STATUS_WORDS, Theme, ui_font
from antflow_gui.views.status_icon import paint_status_icon

CHIP_STATUSES = ("failed", "retrying", "completed", "in_progress", "skipped")

_HEIGHT = 24
_PADDING = 10
_ICON = 10
_GAP = 6
_GROUND_ALPHA = 38


class StatusChip(QAbstractButton):
    """One status with its count; checked while it is filtered by.

    Args:
        status: The status.
        theme: Colours.
        parent: Owner.
    """

    def __init__(self, status: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.status = status
        self._theme = theme
        self._count = 0
        self._compact = False
        self._font = ui_font(12, 500)
        self._metrics = QFontMetrics(self._font)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.set_count(0)

    @property
    def count(self) -> int:
        """The number shown."""
        return self._count

    def set_count(self, count: int) -> None:
        """Show another number; the chip grows only when a digit is added."""
        word, old_length = STATUS_WORDS[self.status], len(format_count(self._count))
        self._count = count
        number = format_count(count)
        self.setAccessibleName(f"{word}: {number} events")
        self.setToolTip(f"{number} {word} events: click to show only these, click again to show all")
        if len(number) != old_length:
            self.updateGeometry()
        self.update()

    def set_compact(self, compact: bool) -> None:
        """Leave the word out where there is no room for it."""
        if compact != self._compact:
            self._compact = compact
            self.updateGeometry()

    def _word(self) -> str:
        return "" if self._compact else STATUS_WORDS[self.status]

    def sizeHint(self) -> QSize:
        word = self._word()
        number_width = self._metrics.horizontalAdvance("0" * len(format_count(self._count)))
        word_width = self._metrics.horizontalAdvance(word) + _GAP if word else 0
        return QSize(2 * _PADDING + _ICON + _GAP + word_width + number_width, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = self._theme.status_color(self.status)
        self._paint_ground(painter, color)
        left = float(_PADDING)
        paint_status_icon(
            painter, QRectF(left, (self.height() - _ICON) / 2, _ICON, _ICON), self.status, color
        )
        left += _ICON + _GAP
        painter.setFont(self._font)
        painter.setPen(color)
        room = QRectF(left, 0, self.width() - left - _PADDING, self.height())
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._word())
        painter.drawText(
            room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, format_count(self._count)
        )

    def _paint_ground(self, painter: QPainter, color: QColor) -> None:
        ground = self._theme.color("raised" if self.underMouse() else "surface")
        frame = self._theme.color("border")
        if self.isChecked():
            ground, frame = QColor(color), color
            ground.setAlpha(_GROUND_ALPHA)
        if self.hasFocus():
            frame = self._theme.color("accent")
        painter.setBrush(ground)
        painter.setPen(QPen(frame, 2.0 if self.hasFocus() else 1.0))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), _HEIGHT / 2 - 1, _HEIGHT / 2 - 1)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.update()
        super().leaveEvent(event)


class FilterChips(QWidget):
    """A chip a status.

    Args:
        theme: Colours.
        parent: Owner.

    Signals:
        toggled(str): The user pressed a status' chip.
    """

    toggled = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self.chips = {status: StatusChip(status, theme) for status in CHIP_STATUSES}
        for chip in self.chips.values():
            chip.clicked.connect(self._announce)
            theme.changed.connect(chip.update)
            layout.addWidget(chip)

    def set_counts(self, counts: Mapping[str, int]) -> None:
        """Show the events of each status."""
        for status, chip in self.chips.items():
            if chip.count != counts[status]:
                chip.set_count(counts[status])

    def set_pressed(self, statuses: Iterable[str]) -> None:
        """Show which statuses the query asks for."""
        pressed = set(statuses)
        for status, chip in self.chips.items():
            chip.setChecked(status in pressed)

    def set_compact(self, compact: bool) -> None:
        """Leave the words out where there is no room for them."""
        for chip in self.chips.values():
            chip.set_compact(compact)

    @Slot()
    def _announce(self) -> None:
        chip = self.sender()
        if isinstance(chip, StatusChip):
            self.toggled.emit(chip.status)
