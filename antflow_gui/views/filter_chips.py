"""The row of filter chips: one a status, with its count, pressed while the query asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QEnterEvent, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from antflow_core.units import format_count, tight_count
from antflow_gui.theme import STATUS_WORDS, Theme, ui_font
from antflow_gui.views.status_icon import paint_status_icon

CHIP_STATUSES = ("failed", "retrying", "completed", "in_progress", "skipped")

_HEIGHT = 24
_PADDING = 10
_ICON = 10
_GAP = 6
_SPACING = 8
_GROUND_ALPHA = 38


class Wording(Enum):
    """How much a chip says besides its icon, from most to least."""

    WHOLE = 1
    NUMBER = 2
    TIGHT_NUMBER = 3


_GIVEN_UP = (
    "of items that were cancelled or under way when the run ended; -error_type:CancelledError leaves them out"
)
_LEAST_WORDING = Wording.TIGHT_NUMBER


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
        self._note = ""
        self._wording = Wording.WHOLE
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
        old_length = len(format_count(self._count))
        self._count = count
        self._name()
        if len(format_count(count)) != old_length:
            self.updateGeometry()
        self.update()

    def set_note(self, note: str) -> None:
        """Tell more of these events, in the tip."""
        if note != self._note:
            self._note = note
            self._name()

    def _name(self) -> None:
        words = f"{format_count(self._count)} {STATUS_WORDS[self.status]} events"
        self.setAccessibleName(f"{STATUS_WORDS[self.status]}: {format_count(self._count)} events")
        tip = f"{words}: click to show only these, click again to show all"
        self.setToolTip(f"{tip}\n{self._note}" if self._note else tip)

    def set_wording(self, wording: Wording) -> None:
        """Say it in fewer words, or in all."""
        if wording is not self._wording:
            self._wording = wording
            self.updateGeometry()
            self.update()

    def width_of(self, wording: Wording) -> int:
        """How wide the chip is when it says it like this."""
        word, number = self._said(wording)
        number_width = self._metrics.horizontalAdvance("0" * len(number))
        word_width = self._metrics.horizontalAdvance(word) + _GAP if word else 0
        return 2 * _PADDING + _ICON + _GAP + word_width + number_width

    @property
    def said(self) -> tuple[str, str]:
        """The word, if there is room for one, and the number."""
        return self._said(self._wording)

    def _said(self, wording: Wording) -> tuple[str, str]:
        """Word and number."""
        word = STATUS_WORDS[self.status] if wording is Wording.WHOLE else ""
        is_tight = wording is Wording.TIGHT_NUMBER
        return word, tight_count(self._count) if is_tight else format_count(self._count)

    def sizeHint(self) -> QSize:
        return QSize(self.width_of(self._wording), _HEIGHT)

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
        word, number = self.said
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, word)
        painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, number)

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
        layout.setSpacing(_SPACING)
        self._room = 0
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
        self.fit(self._room)

    def set_given_up(self, count: int) -> None:
        """Say how many of the failed events mean no failure."""
        note = f"Not counted as failures: {format_count(count)}, {_GIVEN_UP}" if count else ""
        self.chips["failed"].set_note(note)

    def set_pressed(self, statuses: Iterable[str]) -> None:
        """Show which statuses the query asks for."""
        pressed = set(statuses)
        for status, chip in self.chips.items():
            chip.setChecked(status in pressed)

    def fit(self, room: int) -> None:
        """Say as much as fits into so many pixels: all, or numbers alone, or these to three digits."""
        self._room = room
        wording = next((wording for wording in Wording if self._width_of(wording) <= room), _LEAST_WORDING)
        for chip in self.chips.values():
            chip.set_wording(wording)

    def _width_of(self, wording: Wording) -> int:
        return sum(chip.width_of(wording) + _SPACING for chip in self.chips.values()) - _SPACING

    @Slot()
    def _announce(self) -> None:
        chip = self.sender()
        if isinstance(chip, StatusChip):
            self.toggled.emit(chip.status)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._width_of(_LEAST_WORDING), _HEIGHT)
